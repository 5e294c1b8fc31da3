/** The work of a batch: hundreds of images in requests of several, a few at a time, stopped and gone on with at will. */

import { isAnswered } from "./answer.js";
import { predictQuery } from "./asking.js";
import { Failure } from "./failure.js";
import { ask } from "./server.js";
import { served } from "./served.js";

const REQUESTS_AT_ONCE = 4;
const IMAGES_PER_REQUEST = 16;
const BYTES_PER_REQUEST = 32e6;
const PATIENCE = 100; // times that a busy server is asked again: a batch has time
const MAX_LOST = 3; // times that an image may be in a request that is lost with a worker

/** Images, each with a state: waiting, asking, ok or error. */
const FRESH = { model: null, versions: new Set(), state: "idle", failure: null, pauseUntil: 0, askedMs: 0 };
export const batch = { images: [], ...FRESH };
const listeners = new Set();
let abort = new AbortController();
let numAsking = 0;

export const onBatch = (listener) => (listeners.add(listener), () => listeners.delete(listener));
const tell = () => listeners.forEach((listener) => listener());

export function addImages(files) {
  for (const { file, name } of files) {
    batch.images.push({ index: batch.images.length, file, name, state: "waiting", row: null, reason: "", numLost: 0 });
  }
  if (batch.state === "done") batch.state = "idle";
  tell();
}

export function clearBatch() {
  stop();
  Object.assign(batch, { images: [], ...FRESH, versions: new Set() });
  tell();
}

/** Ask the chosen classifier for all images, whatever another one has answered. */
export function startAnew() {
  for (const image of batch.images) Object.assign(image, { state: "waiting", row: null, reason: "", numLost: 0 });
  Object.assign(batch, { ...FRESH, versions: new Set() });
  start();
}

/** Ask for the images that are left; all answers of a batch are of one classifier. */
export function start() {
  abort = new AbortController();
  const model = batch.model ?? served.chosen;
  Object.assign(batch, { model, state: "running", failure: null, startedAt: performance.now() });
  fillUp();
  tell();
}

/** Stop asking; what is asked for is asked for again later. */
export function stop(failure = null) {
  abort.abort();
  for (const image of batch.images) if (image.state === "asking") image.state = "waiting";
  if (batch.state === "running") Object.assign(batch, { state: "stopped", failure, askedMs: batch.askedMs + sinceStart() });
  batch.pauseUntil = 0;
  tell();
}

export function askFailedAgain() {
  for (const image of batch.images) if (image.state === "error") Object.assign(image, { state: "waiting", numLost: 0 });
  start();
}

const sinceStart = () => performance.now() - batch.startedAt;
export const elapsedMs = () => batch.askedMs + (batch.state === "running" ? sinceStart() : 0);

/** As many of the waiting images as make a request. */
function nextRequest() {
  const chosen = [];
  let size = 0;
  for (const image of batch.images) {
    if (image.state !== "waiting") continue;
    if (chosen.length && (chosen.length >= limit(image) || size + image.file.size > BYTES_PER_REQUEST)) break;
    chosen.push(image);
    size += image.file.size;
    if (image.alone) break;
  }
  return chosen;
}

// What was in a request that failed as a whole is asked for alone, so that one image spoils no other's answer.
const limit = (image) => (image.alone ? 0 : IMAGES_PER_REQUEST);

function fillUp() {
  const { signal } = abort;
  while (batch.state === "running" && numAsking < REQUESTS_AT_ONCE) {
    const images = nextRequest();
    if (!images.length) break;
    numAsking += 1;
    images.forEach((image) => (image.state = "asking"));
    answer(images, signal).finally(() => {
      numAsking -= 1;
      fillUp();
      tell();
    });
  }
  if (batch.state === "running" && numAsking === 0 && batch.images.every(({ state }) => isAnswered(state) || state === "error")) {
    Object.assign(batch, { state: "done", askedMs: batch.askedMs + sinceStart() });
    tell();
  }
}

async function answer(images, signal) {
  const body = new FormData();
  images.forEach(({ file, name }) => body.append("images", file, name));
  try {
    const response = await ask("predict", {
      method: "POST",
      query: predictQuery(batch.model),
      body,
      signal,
      patience: PATIENCE,
      onWait: (seconds) => {
        batch.pauseUntil = performance.now() + 1000 * seconds;
        tell();
      },
    });
    const { rows, version } = await response.json();
    if (signal.aborted) return;
    batch.versions.add(version);
    if (rows.length !== images.length) throw new Failure(500, { what: `${rows.length} rows for ${images.length} images` });
    images.forEach((image, i) => Object.assign(image, { state: rows[i].status, row: rows[i], reason: rows[i].reason ?? "" }));
  } catch (failure) {
    if (!signal.aborted) spoiled(images, failure);
  }
}

/** What becomes of images whose request failed as a whole. */
function spoiled(images, failure) {
  if (!(failure instanceof Failure)) failure = new Failure(0, { what: String(failure) });
  const isLost = failure.status >= 500 && failure.status !== 503;
  const concernsAll = [0, 401, 404, 503].includes(failure.status);
  if (concernsAll) {
    stop(failure);
    return;
  }
  for (const image of images) {
    image.numLost += isLost ? 1 : 0;
    const isHopeless = isLost ? image.numLost >= MAX_LOST : images.length === 1;
    Object.assign(image, { alone: true, state: isHopeless ? "error" : "waiting", reason: failure.message, row: null });
  }
}
