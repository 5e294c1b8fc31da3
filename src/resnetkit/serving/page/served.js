/** The classifiers that are served, and the one that is looked at. */

import { askJson } from "./server.js";
import { choice, choose } from "./stored.js";

const POLL_MILLISECONDS = 2000;

export const served = { models: [], chosen: null, told: "" };
let polling = null;
const listeners = new Set();
const details = new Map();

export const onServed = (listener) => listeners.add(listener);
const tell = () => listeners.forEach((listener) => listener());

/** Read which classifiers there are, and go on reading while one of them is not ready. */
export async function loadServed() {
  const { models } = await askJson("models");
  served.models = models;
  served.told = JSON.stringify(models);
  const names = models.map((model) => model.name);
  if (!names.includes(served.chosen)) {
    served.chosen = names.includes(choice("classifier")) ? choice("classifier") : names[0];
  }
  clearTimeout(polling);
  if (models.some((model) => model.state !== "ready")) polling = setTimeout(loadAgain, POLL_MILLISECONDS);
}

async function loadAgain() {
  const before = served.told;
  try {
    await loadServed();
  } catch {
    polling = setTimeout(loadAgain, POLL_MILLISECONDS);
    return;
  }
  if (served.told !== before) tell();
}

export function chooseClassifier(name) {
  served.chosen = name;
  choose("classifier", name);
  tell();
}

export const chosen = () => served.models.find((model) => model.name === served.chosen);

/** All that the server says of the chosen classifier; asked once for each version of it. */
export function chosenDetails() {
  const { name, version } = chosen();
  const key = JSON.stringify([name, version]);
  if (!details.has(key)) {
    const asked = askJson(`models/${encodeURIComponent(name)}`);
    asked.catch(() => details.delete(key));
    details.set(key, asked);
  }
  return details.get(key);
}
