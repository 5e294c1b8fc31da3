/** Batch: hundreds of images, with what is done, what is left, and all answers to take away. */

import { asCsv, asJson, save } from "./batch_files.js";
import { batchTable, seen } from "./batch_table.js";
import { addImages, askFailedAgain, batch, clearBatch, elapsedMs, onBatch, start, startAnew, stop } from "./batch_work.js";
import { announce, make, show, throttled } from "./dom.js";
import { failureNote } from "./failure.js";
import { icon } from "./icons.js";
import { served } from "./served.js";
import { dropPlace, pickButton } from "./taking.js";
import { count, percent, t } from "./words.js";

const DRAW_MILLISECONDS = 120;

export const giveToBatch = addImages;

function tally() {
  const numbers = { ok: 0, unsure: 0, unknown: 0, error: 0, waiting: 0, asking: 0 };
  const classes = new Map();
  for (const { state, row } of batch.images) {
    numbers[state] += 1;
    if (state === "ok") classes.set(row.class, (classes.get(row.class) ?? 0) + 1);
  }
  return { ...numbers, all: batch.images.length, done: numbers.ok + numbers.unsure + numbers.unknown + numbers.error, classes: [...classes].sort((a, b) => b[1] - a[1]) };
}

function timeLeft({ done, all }) {
  const seconds = (elapsedMs() / 1000 / done) * (all - done);
  return seconds < 90 ? t("batch.left.seconds", { n: Math.ceil(seconds) }) : t("batch.left.minutes", { n: Math.round(seconds / 60) });
}

function progressWords(numbers) {
  const parts = [t("batch.progress", { done: numbers.done, n: numbers.all })];
  if (batch.model && batch.model !== served.chosen) parts.push(t("batch.by", { name: batch.model }));
  if (numbers.unknown) parts.push(t("batch.unknown", { n: numbers.unknown }));
  if (numbers.unsure) parts.push(t("batch.unsure", { n: numbers.unsure }));
  if (numbers.error) parts.push(t("batch.errors", { n: numbers.error }));
  const pause = (batch.pauseUntil - performance.now()) / 1000;
  if (batch.state === "running" && pause > 0) parts.push(t("batch.pause", { n: Math.ceil(pause) }));
  else if (batch.state === "running" && numbers.done) parts.push(timeLeft(numbers));
  else if (batch.state === "done" && numbers.done) parts.push(t("batch.rate", { n: Math.round((1000 * numbers.done) / elapsedMs()) }));
  return parts.join(" · ");
}

/** The buttons that a state has; redrawn only when it changes, so that the focus stays. */
function buttonsFor(state, numbers) {
  const button = (key, symbol, click, kind = null) => make("button", { type: "button", class: kind, on: { click } }, icon(symbol), t(key, { name: served.chosen }));
  const found = [];
  if (state === "running") found.push(button("batch.stop", "stop", () => stop(), "primary"));
  else if (numbers.waiting) found.push(button(numbers.done ? "batch.go_on" : "batch.start", "play", start, "primary"));
  if (state !== "running" && numbers.error) found.push(button("batch.again", "again", askFailedAgain));
  if (state !== "running" && batch.model && batch.model !== served.chosen) found.push(button("batch.anew", "play", startAnew));
  if (state !== "running") found.push(button("batch.clear", "close", clearBatch));
  return found;
}

function downloads() {
  const stem = () => `${batch.model.replace(/[^\w.-]+/g, "_")}-answers`;
  const csv = () => save(asCsv(batch.images), "text/csv;charset=utf-8", `${stem()}.csv`);
  const json = () => save(asJson(batch), "application/json", `${stem()}.json`);
  return [
    make("button", { type: "button", on: { click: csv } }, icon("download"), "CSV"),
    make("button", { type: "button", on: { click: json } }, icon("download"), "JSON"),
  ];
}

function classCounts(numbers, filter) {
  const most = numbers.classes[0]?.[1] ?? 1;
  return make(
    "ul",
    { class: "counts" },
    numbers.classes.map(([name, number]) => {
      const isChosen = seen.class === name;
      const click = () => filter({ class: isChosen ? "" : name });
      return make(
        "li",
        {},
        make(
          "button",
          { type: "button", "aria-pressed": String(isChosen), "data-class": name, on: { click } },
          make("span", { class: "name" }, name),
          make("span", { class: "track", "aria-hidden": "true" }, make("span", { set: { width: `${(100 * number) / most}%` } })),
          make("span", { class: "share" }, count(number), " ", make("span", { class: "quiet" }, percent(number / numbers.ok, 0))),
        ),
      );
    }),
  );
}

export function batchView(root, details) {
  const place = make("div");
  const progress = make("progress", { "aria-label": t("batch.progress.label") });
  const words = make("p", { class: "progress-words" });
  const buttons = make("div", { class: "actions" });
  const trouble = make("div");
  const summary = make("section", { class: "summary", "aria-label": t("batch.summary") });
  const work = make("div", { class: "work" });
  const table = batchTable(() => batch.images);
  let state = null;

  const filter = (change) => {
    table.filter(change);
    draw();
  };

  function draw() {
    const numbers = tally();
    work.hidden = numbers.all === 0;
    const now = JSON.stringify([batch.state, numbers.waiting > 0, numbers.error > 0, numbers.all > 0, batch.failure?.message]);
    if (now !== state) {
      const hadFocus = buttons.contains(document.activeElement);
      show(place, dropPlace(numbers.all > 0, picks()));
      show(buttons, buttonsFor(batch.state, numbers), make("span", { class: "spacer" }), numbers.done ? downloads() : null);
      show(trouble, batch.failure ? failureNote(batch.failure) : null);
      if (hadFocus) (buttons.querySelector("button") ?? root.querySelector("h1")).focus();
      if (state !== null && batch.state === "done") announce(t("batch.done", { n: numbers.all, errors: numbers.error }));
      state = now;
    }
    progress.max = Math.max(1, numbers.all);
    progress.value = numbers.done;
    words.textContent = progressWords(numbers);
    const focused = summary.contains(document.activeElement) ? document.activeElement.dataset.class : null;
    show(summary, numbers.ok ? [make("h2", {}, t("batch.summary")), classCounts(numbers, filter)] : null);
    if (focused !== null) [...summary.querySelectorAll("button")].find((one) => one.dataset.class === focused)?.focus();
    table.draw();
  }

  const picks = () => [
    pickButton({ label: t("take.pick"), primary: batch.images.length === 0, id: "pick", take: addImages }),
    pickButton({ label: t("take.folder"), folder: true, id: "pick-folder", take: addImages }),
  ];
  show(work, progress, words, buttons, trouble, summary, table.element);
  show(root, make("h1", {}, t("batch.title")), make("p", { class: "lead" }, t("batch.lead", { name: details.name })), place, work);
  draw();
  const later = throttled(draw, DRAW_MILLISECONDS);
  const ticking = setInterval(() => batch.state === "running" && later(), 1000);
  const leave = onBatch(later);
  return () => {
    clearInterval(ticking);
    leave();
  };
}
