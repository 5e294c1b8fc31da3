// The network, beside the page so that it stays responsive. It is asked `{ id, source }` and answers
// `{ id, answer }` or `{ id, refused }`; before, it tells `{ loading }`, then `{ ready }` or `{ failed }`.

import { decide } from "./deciding.js";
import { decode, Refused } from "./decoding.js";

const FOLDER = new URL("..", import.meta.url);
const RUNTIME = "runtime/ort-wasm-simd-threaded.wasm";
const NETWORK = "model.onnx";

let session, wanted, decision, ort;

const start = async () => {
  ort = await import(new URL("runtime/ort.wasm.min.mjs", FOLDER));
  const [description, wasm, network] = await Promise.all([
    fetched("classifier.json").then((bytes) => JSON.parse(new TextDecoder().decode(bytes))),
    fetched(RUNTIME),
    fetched(NETWORK),
  ]);
  const { preprocessing, limits } = description;
  decision = description.decision;
  wanted = {
    channels: preprocessing.channels,
    white16bit: preprocessing.white_16bit,
    maxPixels: limits.max_pixels,
    maxFileBytes: limits.max_file_bytes,
  };
  ort.env.wasm.wasmBinary = wasm.buffer;
  ort.env.wasm.numThreads = numThreads();
  ort.env.logLevel = "error";
  session = await ort.InferenceSession.create(network, { executionProviders: ["wasm"] });
  self.postMessage({ ready: { description, threads: ort.env.wasm.numThreads, runtime: ort.env.versions.web } });
};

// More than one only where the server sends the two headers that let threads share memory.
const numThreads = () => {
  const cores = navigator.hardwareConcurrency ?? 1;
  return self.crossOriginIsolated ? Math.min(8, Math.max(cores >> 1, Math.min(cores, 4))) : 1;
};

const told = {};

const fetched = async (path) => {
  const response = await fetch(new URL(path, FOLDER));
  if (!response.ok) throw new Error(`${path}: ${response.status} ${response.statusText}`);
  // The length is that of what travels, so it says nothing where that is compressed.
  const total = response.headers.has("Content-Encoding") ? NaN : Number(response.headers.get("Content-Length") ?? NaN);
  const parts = [];
  let length = 0;
  for (const reader = response.body.getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) break;
    parts.push(value);
    length += value.length;
    told[path] = { length, total };
    if (RUNTIME in told && NETWORK in told) self.postMessage({ loading: sum(Object.values(told)) });
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
};

const sum = (files) => ({
  length: files.reduce((all, { length }) => all + length, 0),
  total: files.reduce((all, { total }) => all + total, 0),
});

const classify = async (source) => {
  const began = performance.now();
  const { pixels, width, height } = await decode(source, wanted);
  const image = new ort.Tensor("uint8", pixels, [height, width, wanted.channels]);
  const answer = await session.run({ image });
  const [probabilities, logits] = [answer.probabilities, answer.logits].map(({ data }) => Float32Array.from(data));
  return {
    probabilities,
    logits,
    ...decide(probabilities, logits, decision),
    milliseconds: performance.now() - began,
    width,
    height,
  };
};

let last = Promise.resolve(); // a session runs one image at a time

self.onmessage = ({ data: { id, source } }) => {
  last = last.then(async () => {
    try {
      self.postMessage({ id, answer: await classify(source) });
    } catch (error) {
      const refused = error instanceof Refused ? error : new Refused("failed", { reason: String(error?.message ?? error) });
      self.postMessage({ id, refused: { code: refused.code, values: refused.values } });
    }
  });
};

start().catch((error) => self.postMessage({ failed: String(error?.message ?? error) }));
