/** Recorded scores, with the intervals that they are uncertain by. */

import { draw, make } from "./dom.js";
import { sortableHead, sorted } from "./tables.js";
import { count, percent, percentDigits, t } from "./words.js";

/** An interval on the way from 0 to 1, with the value in it. */
export function intervalMark(low, value, high) {
  const x = (share) => 4 + 112 * share;
  return draw(
    "svg",
    { class: "interval", viewBox: "0 0 120 12", "aria-hidden": "true" },
    draw("path", { d: "M4,6H116" }),
    draw("path", { class: "bar", d: `M${x(low)},6H${x(high)}` }),
    draw("circle", { cx: x(value), cy: 6, r: 3.5 }),
  );
}

const measure = (label, value, ...more) =>
  make("div", {}, make("dt", {}, label), make("dd", {}, make("strong", {}, value), more));

const accuracy = (label, { value, low, high, num_images: n }) =>
  measure(
    label,
    percent(value, 2),
    intervalMark(low, value, high),
    make("span", { class: "quiet" }, t("scores.interval", { low: percentDigits(low, 2), high: percentDigits(high, 2), n })),
  );

function splitScores(split, { top1, top5, macro_f1: f1, expected_calibration_error: calibration }) {
  return make(
    "div",
    { class: "split" },
    make("h3", {}, t(`scores.${split}`)),
    make(
      "dl",
      { class: "measures" },
      accuracy(t("scores.top1"), top1),
      top5 && accuracy(t("scores.top5"), top5),
      f1 !== undefined && measure(t("scores.f1"), percent(f1, 2)),
      calibration !== undefined && measure(t("scores.calibration"), percent(calibration, 2)),
    ),
  );
}

function perClass(classes) {
  const order = { key: "recall", isDescending: false };
  const body = make("tbody");
  const row = (one) =>
    make(
      "tr",
      {},
      make("th", { scope: "row" }, one.name),
      make("td", { class: "number" }, one.recall === null ? "–" : percent(one.recall)),
      make("td", { class: "wide-only" }, one.recall === null ? "" : intervalMark(one.recall_low, one.recall, one.recall_high)),
      make("td", { class: "number" }, one.precision === null ? "–" : percent(one.precision)),
      make("td", { class: "number quiet" }, count(one.num_images)),
    );
  const fill = () => body.replaceChildren(...sorted(classes, order, (one, key) => one[key]).map(row));
  const columns = [
    { key: "name", label: t("scores.class") },
    { key: "recall", label: t("scores.recall"), isNumber: true },
    { key: "precision", label: t("scores.precision"), isNumber: true },
    { key: "num_images", label: t("scores.images"), isNumber: true },
  ];
  const head = sortableHead(columns, order, fill);
  head.firstElementChild.children[1].after(make("th", { scope: "col", class: "wide-only" }, t("scores.range")));
  fill();
  return make(
    "div",
    { class: "scroll tall per-class", tabindex: "0", role: "region", "aria-label": t("scores.per_class") },
    make("table", {}, make("caption", { class: "unseen" }, t("scores.per_class")), head, body),
  );
}

/** The scores of all splits, and of the classes of the first that has them. */
export function scoresPart(scores) {
  const splits = ["test", "val", "train"].filter((split) => scores[split]?.top1);
  const classes = splits.map((split) => scores[split].classes).find((found) => found?.length);
  return [
    make("div", { class: "side-by-side" }, splits.map((split) => splitScores(split, scores[split]))),
    classes && [make("h3", {}, t("scores.per_class")), perClass(classes)],
  ];
}
