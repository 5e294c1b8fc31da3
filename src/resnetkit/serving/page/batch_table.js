/** The table of a batch: sorted, filtered, a part of the rows at a time. */

import { isAnswered } from "./answer.js";
import { make, newId, show } from "./dom.js";
import { sortableHead, sorted } from "./tables.js";
import { percent, t } from "./words.js";

const ROWS_SHOWN = 100;

const VALUES = {
  index: (image) => image.index,
  name: (image) => image.name,
  class: (image) => image.row?.class ?? null,
  probability: (image) => image.row?.probability ?? null,
  second: (image) => image.row?.top?.[1]?.class ?? null,
};

/** What is to be seen of a batch, which outlives the view. */
export const seen = { order: { key: "index", isDescending: false }, text: "", class: "", state: "", below: 1, numShown: ROWS_SHOWN };

const isSeen = (image) =>
  (!seen.text || image.name.toLowerCase().includes(seen.text.toLowerCase())) &&
  (!seen.class || image.row?.class === seen.class) &&
  (!seen.state || (seen.state === "waiting" ? ["waiting", "asking"].includes(image.state) : image.state === seen.state)) &&
  (seen.below >= 1 || (image.row?.probability ?? 1) <= seen.below);

export const imagesSeen = (images) => sorted(images.filter(isSeen), seen.order, (image, key) => VALUES[key](image));

/** The table and what filters it; `draw()` brings it up to date. */
export function batchTable(getImages) {
  const columns = [
    { key: "index", label: t("batch.column.index"), isNumber: true },
    { key: "name", label: t("batch.column.file") },
    { key: "class", label: t("batch.column.class") },
    { key: "probability", label: t("batch.column.probability"), isNumber: true },
    { key: "second", label: t("batch.column.second") },
  ];
  const body = make("tbody");
  const told = make("p", { class: "quiet", role: "status" });
  const more = make("button", { type: "button", on: { click: () => ((seen.numShown += 5 * ROWS_SHOWN), draw()) } });
  const head = sortableHead(columns, seen.order, () => draw());
  const classes = make("select", { id: newId("filter"), on: { change: () => filter({ class: classes.value }) } });
  let listed = null;

  function filter(change) {
    Object.assign(seen, change, { numShown: ROWS_SHOWN });
    draw();
  }

  function drawClasses(images) {
    const names = [...new Set(images.map((image) => image.row?.class).filter((name) => name !== null && name !== undefined))].sort();
    if (seen.class && !names.includes(seen.class)) names.push(seen.class);
    if (JSON.stringify(names) !== listed) {
      listed = JSON.stringify(names);
      const option = (value, text) => make("option", { value }, text);
      show(classes, option("", t("batch.filter.all")), names.map((name) => option(name, name)));
    }
    classes.value = seen.class;
  }

  function draw() {
    const images = getImages();
    drawClasses(images);
    const rows = imagesSeen(images);
    show(body, rows.slice(0, seen.numShown).map(tableRow));
    const isAll = rows.length === images.length;
    told.textContent = t(isAll ? "batch.rows" : "batch.rows.some", { n: rows.length, all: images.length });
    more.hidden = rows.length <= seen.numShown;
    more.textContent = t("batch.more", { n: Math.min(5 * ROWS_SHOWN, rows.length - seen.numShown) });
  }

  const element = make(
    "div",
    { class: "batch-table" },
    make("div", { class: "fields" }, nameFilter(filter), field(t("batch.filter.class"), classes), stateFilter(filter), sureFilter(filter)),
    told,
    make(
      "div",
      { class: "scroll", tabindex: "0", role: "region", "aria-label": t("batch.table") },
      make("table", {}, make("caption", { class: "unseen" }, t("batch.table")), head, body),
    ),
    make("p", {}, more),
  );
  return { element, draw, filter };
}

const field = (label, control) => make("div", { class: "field" }, make("label", { for: control.id }, label), control);

function nameFilter(filter) {
  const input = make("input", { id: newId("filter"), type: "search", on: { input: () => filter({ text: input.value }) } });
  input.value = seen.text;
  return field(t("batch.filter.name"), input);
}

function stateFilter(filter) {
  const option = (value, key) => make("option", { value, selected: value === seen.state }, t(key));
  const select = make(
    "select",
    { id: newId("filter"), on: { change: () => filter({ state: select.value }) } },
    [option("", "batch.filter.all"), option("ok", "batch.filter.ok"), option("unsure", "answer.unsure"), option("unknown", "answer.unknown"), option("error", "batch.filter.error"), option("waiting", "batch.filter.waiting")],
  );
  return field(t("batch.filter.state"), select);
}

function sureFilter(filter) {
  const words = () => (seen.below >= 1 ? t("batch.filter.any") : percent(seen.below, 0));
  const output = make("output", {}, words());
  const input = make("input", {
    id: newId("filter"), type: "range", min: 0, max: 100, step: 5, value: Math.round(100 * seen.below),
    on: {
      input: () => {
        filter({ below: Number(input.value) / 100 });
        output.textContent = words();
      },
    },
  });
  return make("div", { class: "field" }, make("label", { for: input.id }, t("batch.filter.below"), " ", output), input);
}

function tableRow(image) {
  const number = make("td", { class: "number quiet" }, String(image.index + 1));
  const name = make("th", { scope: "row" }, image.name);
  if (image.state === "ok") {
    const { row } = image;
    const second = row.top?.[1];
    return make(
      "tr",
      {},
      number,
      name,
      make("td", {}, row.class),
      make("td", { class: "number" }, make("span", { class: "gauge", set: { "--share": row.probability } }, percent(row.probability))),
      make("td", { class: "quiet" }, second ? `${second.class} ${percent(second.probability)}` : ""),
    );
  }
  if (isAnswered(image.state)) {
    const probable = image.row.top.slice(0, 2).map((one) => `${one.class} ${percent(one.probability)}`);
    const words = make("strong", {}, t(`answer.${image.state}`));
    return make("tr", {}, number, name, make("td", { colspan: 2 }, words), make("td", { class: "quiet" }, probable.join(", ")));
  }
  const isBad = image.state === "error";
  const words = isBad ? image.reason : t(`batch.state.${image.state}`);
  return make("tr", {}, number, name, make("td", { colspan: 3, class: isBad ? "wrong" : "quiet", lang: isBad ? "en" : null }, words));
}
