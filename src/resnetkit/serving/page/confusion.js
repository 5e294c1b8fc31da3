/** The confusion matrix: which classes are taken for which. Cells with images can be opened. */

import { make, show } from "./dom.js";
import { percent, t } from "./words.js";

const MAX_CLASSES = 20; // larger matrices show those that are confused most
const WEAKEST = 10; // percent of colour behind a count
const TURNED_FROM = 4; // characters of a name that would make columns wide
const STRONGEST = 45; // beyond it, counts would be hard to read

/** Numbers of images by true class and answer. */
export function confusionOf(rows) {
  const cells = new Map();
  for (const row of rows) {
    if (!cells.has(row.true)) cells.set(row.true, new Map());
    const line = cells.get(row.true);
    line.set(row.answer, (line.get(row.answer) ?? 0) + 1);
  }
  return cells;
}

/** How many images of a class, or taken for it, were answered wrongly. */
function numConfused(rows) {
  const numbers = new Map();
  const add = (name) => numbers.set(name, (numbers.get(name) ?? 0) + 1);
  for (const row of rows) {
    if (row.true === row.answer) continue;
    add(row.true);
    add(row.answer);
  }
  return numbers;
}

export function confusionMatrix(names, rows, open) {
  const cells = confusionOf(rows);
  const confused = numConfused(rows);
  const byConfusion = [...names].sort((a, b) => (confused.get(b) ?? 0) - (confused.get(a) ?? 0));
  const shown = new Set(byConfusion.slice(0, MAX_CLASSES));
  const table = make("table", { class: "matrix" });
  const orders = { classes: names.filter((name) => shown.has(name)), confusion: byConfusion.slice(0, MAX_CLASSES) };
  const turned = names.some((name) => name.length >= TURNED_FROM) ? "turned" : null;
  let order = "classes";

  function cell(truth, answer) {
    const number = cells.get(truth)?.get(answer) ?? 0;
    if (!number) return make("td", {}, make("span", { class: "nothing" }, "·"));
    const all = [...cells.get(truth).values()].reduce((a, b) => a + b, 0);
    const label = t(truth === answer ? "results.cell.right" : "results.cell", { n: number, truth, answer, share: percent(number / all, 0) });
    const strength = `${(WEAKEST + (STRONGEST - WEAKEST) * Math.sqrt(number / all)).toFixed(1)}%`;
    const button = make(
      "button",
      { type: "button", class: truth === answer ? "on-diagonal" : null, "aria-label": label, title: label, tabindex: "-1", set: { "--strength": strength } },
      String(number),
    );
    button.addEventListener("click", () => open(truth, answer));
    return make("td", {}, button);
  }

  function fill() {
    const shownNow = orders[order];
    const head = make("tr", {}, make("th", { scope: "col" }, make("span", { class: "quiet" }, t("results.corner"))), shownNow.map((name) => make("th", { scope: "col", class: turned }, make("span", {}, name))));
    const body = shownNow.map((truth) => make("tr", {}, make("th", { scope: "row" }, truth), shownNow.map((answer) => cell(truth, answer))));
    show(table, make("caption", { class: "unseen" }, t("results.matrix")), make("thead", {}, head), make("tbody", {}, body));
    table.querySelector("button")?.setAttribute("tabindex", "0");
  }

  table.addEventListener("keydown", (event) => move(table, event));
  const select = make(
    "select",
    { id: "matrix-order", on: { change: () => ((order = select.value), fill()) } },
    Object.keys(orders).map((name) => make("option", { value: name }, t(`results.order.${name}`))),
  );
  fill();
  return [
    make("div", { class: "fields" }, make("div", { class: "field" }, make("label", { for: "matrix-order" }, t("results.order")), select)),
    names.length > MAX_CLASSES && make("p", { class: "quiet" }, t("results.matrix.part", { shown: MAX_CLASSES, n: names.length })),
    make("div", { class: "scroll", role: "region", tabindex: "0", "aria-label": t("results.matrix") }, table),
  ];
}

const STEPS = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] };

/** Arrow keys go from cell to cell, over empty ones. */
function move(table, event) {
  const step = STEPS[event.key];
  const cell = event.target.closest("td");
  if (!step || !cell) return;
  event.preventDefault();
  const rows = [...table.tBodies[0].rows];
  let [y, x] = [rows.indexOf(cell.parentElement), cell.cellIndex];
  for (;;) {
    [y, x] = [y + step[0], x + step[1]];
    const button = rows[y]?.cells[x]?.querySelector("button");
    if (!rows[y]?.cells[x]) return;
    if (!button) continue;
    table.querySelectorAll('button[tabindex="0"]').forEach((other) => other.setAttribute("tabindex", "-1"));
    button.setAttribute("tabindex", "0");
    button.focus();
    return;
  }
}

/** The pairs that are confused most, most often first. */
export function confusedPairs(rows, open) {
  const pairs = [];
  for (const [truth, line] of confusionOf(rows)) {
    for (const [answer, n] of line) if (truth !== answer) pairs.push({ truth, answer, n });
  }
  pairs.sort((a, b) => b.n - a.n);
  return make(
    "ul",
    { class: "pairs" },
    pairs.slice(0, 8).map(({ truth, answer, n }) =>
      make("li", {}, make("button", { type: "button", class: "link", on: { click: () => open(truth, answer) } }, t("results.pair", { truth, answer })), " ", make("span", { class: "quiet" }, t("images", { n }))),
    ),
  );
}
