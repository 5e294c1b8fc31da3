/** Results: what the classifier answered on the images that its run held back, and where it was wrong. */

import { confusedPairs, confusionMatrix } from "./confusion.js";
import { announce, make, show } from "./dom.js";
import { failureNote } from "./failure.js";
import { askJson } from "./server.js";
import { isTold, percent, percentDigits, t } from "./words.js";
import { thresholdPart, wilson } from "./threshold.js";
import { thumbnails } from "./thumbnails.js";

const part = (title, ...content) => make("section", {}, make("h2", {}, title), content);

/** Rows with their classes by name. */
function named({ class_names: names, rows }) {
  const name = (value) => (typeof value === "number" ? names[value] : value);
  return rows.map((row) => ({ ...row, true: name(row.true), answer: name(row.answer) }));
}

/** How many images get no answer at any threshold; nothing where there are none. */
function unknownWords(rows) {
  if (rows.some((row) => row.status === null)) return ` ${t("results.threshold.untold")}`;
  const n = rows.filter((row) => row.status === "unknown").length;
  return n > 0 && ` ${t("results.threshold.unknown", { n })}`;
}

export function resultsView(root, details) {
  const urls = [];
  const content = make("div");
  show(root, make("p", { class: "eyebrow" }, details.name), make("h1", {}, t("results.title")), content);
  if (!details.has_results) {
    show(content, make("p", { class: "lead" }, t("results.none")));
    return null;
  }
  show(content, make("p", { class: "quiet busy" }, t("results.loading")));
  load(content, details, urls);
  return () => urls.forEach((url) => URL.revokeObjectURL(url));
}

async function load(content, details, urls) {
  try {
    const given = await askJson(`models/${encodeURIComponent(details.name)}/results`);
    drawResults(content, details, given, urls);
  } catch (failure) {
    show(content, failureNote(failure, () => load(content, details, urls)));
  }
}

function drawResults(content, details, given, urls) {
  const rows = named(given);
  const wrong = rows.filter((row) => row.true !== row.answer);
  const [low, high] = wilson(rows.length - wrong.length, rows.length);
  const opened = make("section", { class: "opened", tabindex: "-1" });
  opened.hidden = true;
  const open = (truth, answer) => {
    const found = rows.filter((row) => row.true === truth && row.answer === answer).sort((a, b) => b.probability - a.probability);
    const title = t(truth === answer ? "results.opened.right" : "results.opened", { truth, answer });
    const close = make("button", { type: "button", class: "small", on: { click: () => (opened.hidden = true) } }, t("close"));
    show(opened, make("div", { class: "head" }, make("h3", {}, title, " ", make("span", { class: "quiet" }, t("images", { n: found.length }))), close), thumbnails(details, found, urls));
    opened.setAttribute("aria-label", title);
    opened.hidden = false;
    opened.focus({ preventScroll: true });
    opened.scrollIntoView({ block: "nearest" });
    announce(`${title}: ${t("images", { n: found.length })}`);
  };
  const worst = [...wrong].sort((a, b) => b.probability - a.probability);
  const split = isTold(`scores.${given.split}`) ? t(`scores.${given.split}`) : given.split;
  show(
    content,
    make("p", { class: "headline" }, make("strong", {}, percent(1 - wrong.length / rows.length, 2)), t("results.headline", { n: rows.length })),
    make("p", { class: "quiet" }, `${split} · ${t("results.interval", { low: percentDigits(low, 2), high: percentDigits(high, 2) })}`),
    part(t("results.threshold"), make("p", { class: "quiet" }, t("results.threshold.lead"), unknownWords(rows)), thresholdPart(rows)),
    part(
      t("results.matrix"),
      make("p", { class: "quiet" }, t("results.matrix.lead")),
      wrong.length > 0 && confusedPairs(rows, open),
      confusionMatrix(given.class_names, rows, open),
      opened,
    ),
    part(
      t("results.worst"),
      make("p", { class: "quiet" }, t(wrong.length ? "results.worst.lead" : "results.worst.none")),
      wrong.length > 0 && thumbnails(details, worst, urls),
    ),
  );
}
