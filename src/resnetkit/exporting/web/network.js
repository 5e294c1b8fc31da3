// The page's side of the worker: `open` it once, then `classify` files or bitmaps of a camera, one after the other.

import { Refused } from "./decoding.js";

export const open = (onLoading) =>
  new Promise((resolve, reject) => {
    // From a blob, because such a worker is held by the page's own content security policy: it too can ask no other
    // server for anything.
    const code = `import ${JSON.stringify(new URL("worker.js", import.meta.url).href)};`;
    const address = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
    const worker = new Worker(address, { type: "module" });
    const waiting = new Map();
    let nextId = 0;

    const classify = (source) =>
      new Promise((resolve, reject) => {
        waiting.set(++nextId, { resolve, reject });
        worker.postMessage({ id: nextId, source }, source instanceof ImageBitmap ? [source] : []);
      });

    worker.onmessage = ({ data }) => {
      if (data.loading) onLoading(data.loading);
      else if (data.ready) resolve({ ...data.ready, classify });
      else if (data.failed) reject(new Error(data.failed));
      else {
        const { resolve, reject } = waiting.get(data.id);
        waiting.delete(data.id);
        if (data.answer) resolve(data.answer);
        else reject(new Refused(data.refused.code, data.refused.values));
      }
    };
    worker.onerror = (event) => {
      event.preventDefault();
      const error = new Error(event.message || "the worker could not be started");
      reject(error);
      for (const { reject } of waiting.values()) reject(new Refused("failed", { reason: error.message }));
      waiting.clear();
    };
  });
