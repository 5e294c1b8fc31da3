/** Images that are tried one by one: what was asked of each, and what became of it. */

import { Failure } from "./failure.js";
import { ask } from "./server.js";
import { served } from "./served.js";

const AT_ONCE = 3;
const TOP = 5;

export const tried = []; // newest first
let numTried = 0;
const waiting = [];
let numAsking = 0;

/** An image to be tried. `changed` is called when its state has; whoever shows it sets it. */
function newTry({ file, name }) {
  return { id: (numTried += 1), file, name, picture: URL.createObjectURL(file), state: "waiting", changed: () => {} };
}

export const predictQuery = (model) => ({ model, top: TOP });
export const contentType = (file) => (file.type.startsWith("image/") ? file.type : "application/octet-stream");

export function addTries(files) {
  const added = files.map(newTry);
  tried.unshift(...added);
  added.forEach(askAgain);
  return added;
}

export function removeTry(one) {
  one.abort?.abort();
  URL.revokeObjectURL(one.picture);
  tried.splice(tried.indexOf(one), 1);
}

/** Ask for an image's answer, once it is its turn. */
export function askAgain(one) {
  one.abort?.abort();
  Object.assign(one, { state: "waiting", row: null, failure: null, explanation: null, abort: new AbortController() });
  waiting.push(one);
  one.changed();
  goOn();
}

function goOn() {
  while (numAsking < AT_ONCE && waiting.length) {
    numAsking += 1;
    answer(waiting.shift()).finally(() => {
      numAsking -= 1;
      goOn();
    });
  }
}

async function answer(one) {
  const { signal } = one.abort;
  const set = (state) => {
    if (signal.aborted) return; // asked again meanwhile, or removed
    Object.assign(one, state);
    one.changed();
  };
  set({ state: "asking", model: served.chosen, pause: 0 });
  try {
    const response = await ask("predict", {
      method: "POST",
      query: predictQuery(one.model),
      body: one.file,
      headers: { "Content-Type": contentType(one.file) },
      signal,
      onWait: (seconds) => set({ pause: seconds }),
    });
    const row = await response.json();
    if (row.status === "error") throw new Failure(response.status, { what: row.reason });
    set({ state: "answered", row });
  } catch (failure) {
    set({ state: "failed", failure });
  }
}
