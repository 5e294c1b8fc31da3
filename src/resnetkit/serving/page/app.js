/** The page: which view is shown, and when it is drawn anew. */

import { apiView } from "./api_view.js";
import { batchView, giveToBatch } from "./batch_view.js";
import { announce, make, show } from "./dom.js";
import { failureNote } from "./failure.js";
import { drawHeader, stateWords, VIEWS } from "./header.js";
import { modelView } from "./model_view.js";
import { resultsView } from "./results_view.js";
import { chosen, chosenDetails, loadServed, onServed } from "./served.js";
import { takeImages } from "./taking.js";
import { giveToTry, tryView } from "./try_view.js";
import { t } from "./words.js";

const DRAW = { try: tryView, batch: batchView, model: modelView, results: resultsView, api: apiView };
const main = document.getElementById("main");
let hasResults = false;
let leave = null;
let numDrawn = 0;

function current() {
  const name = location.hash.replace(/^#\/?/, "").split("?")[0];
  return VIEWS.includes(name) ? name : "try";
}

/** Draw the view that the address names. `arrives`: the reader came from another one, so its heading gets the focus. */
async function drawView({ arrives = false } = {}) {
  const drawing = (numDrawn += 1);
  const view = current();
  leave?.();
  leave = null;
  document.title = `${t(`nav.${view}`)} – ${chosen()?.name ?? "resnetkit"}`;
  document.getElementById("skip").textContent = t("skip");
  drawHeader(view, hasResults, () => drawView());
  drawFooter();
  const root = make("div", { class: `view ${view}` });
  show(main, root);
  try {
    if (arrives) await loadServed();
    if (!chosen().version) {
      show(root, notOpened(view));
      return;
    }
    const details = await chosenDetails();
    if (drawing !== numDrawn) return;
    if (hasResults !== details.has_results) {
      hasResults = details.has_results;
      drawHeader(view, hasResults, () => drawView());
    }
    leave = DRAW[view](root, details) ?? null;
  } catch (failure) {
    if (drawing !== numDrawn) return;
    show(root, make("h1", {}, t(`nav.${view}`)), failureNote(failure, () => drawView()));
  }
  const heading = main.querySelector("h1");
  heading.tabIndex = -1;
  if (arrives) {
    heading.focus({ preventScroll: true });
    scrollTo(0, 0);
    announce(heading.textContent);
  }
}

/** What is shown of a classifier that was never opened; once it is, the view is drawn. */
function notOpened(view) {
  const model = chosen();
  return [
    make("h1", {}, t(`nav.${view}`)),
    make("p", { class: "lead" }, t("state.lead", { name: model.name, state: stateWords(model) })),
    model.problem && make("p", { class: "note", lang: "en" }, model.problem),
  ];
}

function drawFooter() {
  const model = chosen();
  show(
    document.getElementById("footer"),
    make("p", {}, t("footer.private"), model?.version && ` ${t("footer.version", { name: model.name, version: model.version })}`),
  );
}

async function start() {
  try {
    await loadServed();
  } catch (failure) {
    drawHeader(current(), false, start);
    show(main, make("div", { class: "view" }, make("h1", {}, "resnetkit"), failureNote(failure, start)));
    return;
  }
  await drawView();
}

onServed(() => drawView());
addEventListener("hashchange", () => {
  if (location.hash !== "#main") drawView({ arrives: true });
});
document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault(); // the address names the view
  main.querySelector("h1").focus();
});
takeImages((files) => {
  if (!chosen()) return;
  if (current() === "batch") giveToBatch(files);
  else {
    giveToTry(files);
    if (current() !== "try") location.hash = "#/try";
  }
});
start();
