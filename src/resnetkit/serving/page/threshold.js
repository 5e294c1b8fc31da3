/** What a threshold costs and brings: answers below it are left open, those above it are right more often. */

import { draw, make, newId } from "./dom.js";
import { percent, percentDigits, t } from "./words.js";

const WIDTH = 460;
const HEIGHT = 260;
const LEFT = 64;
const BOTTOM = 40;
const TOP = 12;
const RIGHT = 12;
const Z = 1.959964; // 95 %

/** The 95 % Wilson interval of `correct` among `n`. */
export function wilson(correct, n) {
  const share = correct / n;
  const middle = share + (Z * Z) / (2 * n);
  const half = Z * Math.sqrt((share * (1 - share)) / n + (Z * Z) / (4 * n * n));
  const whole = 1 + (Z * Z) / n;
  // The ends are exact: of none or all right, rounding leaves what is shown as more than nothing or less than certain.
  return [correct > 0 ? (middle - half) / whole : 0, correct < n ? (middle + half) / whole : 1];
}

/** For each threshold of 101, how many images are answered, and how many of these rightly; unknown ones at none. */
export function tradeOff(rows) {
  return Array.from({ length: 101 }, (_, i) => {
    const answered = rows.filter((row) => row.status !== "unknown" && row.probability >= i / 100);
    return { threshold: i / 100, answered: answered.length, correct: answered.filter((row) => row.true === row.answer).length };
  });
}

/** A slider with a chart: accuracy of what is answered against the share that is answered. */
export function thresholdPart(rows) {
  const points = tradeOff(rows);
  const reached = points.filter(({ answered }) => answered > 0);
  const accuracies = reached.map(({ answered, correct }) => correct / answered);
  const lowest = Math.max(0, Math.floor(Math.min(1, ...accuracies) * 20 - 0.5) / 20);
  const x = (share) => LEFT + share * (WIDTH - LEFT - RIGHT);
  const y = (accuracy) => TOP + ((1 - accuracy) / (1 - lowest || 1)) * (HEIGHT - TOP - BOTTOM);
  const at = ({ answered, correct }) => [x(answered / rows.length), y(correct / answered)];
  const line = reached.map((point) => at(point).map((value) => value.toFixed(1)).join(",")).join("L");
  const dot = draw("circle", { class: "series-0", r: 6 });
  const guide = draw("path", { class: "guide" });
  const ticks = [lowest, (lowest + 1) / 2, 1];
  const chart = draw(
    "svg",
    { class: "lines", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": t("threshold.chart") },
    ticks.map((tick) => [draw("path", { class: "grid", d: `M${LEFT},${y(tick)}H${WIDTH - RIGHT}` }), draw("text", { x: LEFT - 8, y: y(tick) + 4, "text-anchor": "end" }, percent(tick, Number.isInteger(Math.round(tick * 1000) / 10) ? 0 : 1))]),
    [0, 0.25, 0.5, 0.75, 1].map((tick) => draw("text", { x: x(tick), y: HEIGHT - BOTTOM + 18, "text-anchor": tick === 1 ? "end" : "middle" }, percent(tick, 0))),
    draw("text", { class: "axis", x: WIDTH - RIGHT, y: HEIGHT - 4, "text-anchor": "end" }, t("threshold.coverage")),
    line && draw("path", { class: "series-0", d: `M${line}` }),
    guide,
    dot,
  );
  const told = make("dl", { class: "told-numbers" });
  const output = make("output", {});
  const slider = make("input", { id: newId("threshold"), type: "range", min: 0, max: 100, value: 50, on: { input: tell } });

  function tell() {
    const point = points[Number(slider.value)];
    const { answered, correct } = point;
    output.textContent = percent(point.threshold, 0);
    slider.setAttribute("aria-valuetext", output.textContent);
    const [low, high] = answered ? wilson(correct, answered) : [0, 0];
    const number = (label, value, more) => make("div", {}, make("dt", {}, label), make("dd", {}, make("strong", {}, value), make("span", { class: "quiet" }, more)));
    told.replaceChildren(
      number(t("threshold.answered"), percent(answered / rows.length), t("threshold.of", { some: answered, n: rows.length })),
      number(t("threshold.right"), answered ? percent(correct / answered) : "–", answered ? t("threshold.interval", { low: percentDigits(low, 1), high: percentDigits(high, 1) }) : t("threshold.none")),
      number(t("threshold.open"), percent(1 - answered / rows.length), t("images", { n: rows.length - answered })),
    );
    const isThere = answered > 0;
    dot.style.setProperty("display", isThere ? "inline" : "none");
    if (!isThere) return guide.setAttribute("d", "");
    const [cx, cy] = at(point);
    dot.setAttribute("cx", cx);
    dot.setAttribute("cy", cy);
    return guide.setAttribute("d", `M${LEFT},${cy}H${cx}V${HEIGHT - BOTTOM}`);
  }
  tell();
  return make(
    "div",
    { class: "side-by-side threshold" },
    make("figure", {}, make("figcaption", {}, t("threshold.accuracy")), chart),
    make("div", {}, make("div", { class: "field wide" }, make("label", { for: slider.id }, t("threshold.label"), " ", output), slider), told),
  );
}
