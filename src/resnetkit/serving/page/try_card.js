/** A tried image: its picture, the answer or what went wrong, and on demand the explanation and the code. */

import { bars, verdict } from "./answer.js";
import { askAgain, contentType, predictQuery, removeTry } from "./asking.js";
import { codeBlock } from "./copying.js";
import { announce, make, newId, show } from "./dom.js";
import { explanationPanel } from "./explanation.js";
import { failureNote } from "./failure.js";
import { icon } from "./icons.js";
import { pictureOf, takeMapAway } from "./picture.js";
import { address } from "./server.js";
import { curl, python } from "./snippets.js";
import { bytes, percent, t } from "./words.js";

const CLOSE = 0.8; // of the best probability: a class with so much is nearly as likely

export function tryCard(one, details, removed) {
  const picture = pictureOf(one);
  const body = make("div", { class: "body" });
  const heading = newId("image");
  const remove = make(
    "button",
    { type: "button", class: "plain remove", "aria-label": t("try.remove", { name: one.name }), title: t("try.remove", { name: one.name }) },
    icon("close"),
  );
  remove.addEventListener("click", () => {
    removeTry(one);
    removed(one);
  });
  const card = make(
    "article",
    { class: "card", "aria-labelledby": heading },
    make("figure", {}, picture.frame),
    make(
      "div",
      { class: "answer" },
      make("header", {}, make("h2", { id: heading, title: one.name }, one.name), make("span", { class: "quiet" }, bytes(one.file.size)), remove),
      body,
    ),
  );
  let shown = null;
  one.changed = () => {
    if (one.state !== "answered") takeMapAway(picture);
    show(body, BODIES[one.state](one, picture, details));
    if (shown && one.state !== shown) tellState(one);
    shown = one.state;
  };
  one.changed();
  return card;
}

function tellState(one) {
  if (one.state === "answered") {
    const { status, class: answer, probability } = one.row;
    const told = status === "ok" ? { class: answer, share: percent(probability) } : { class: t(`answer.${status}`), share: t(`answer.${status}.why`) };
    announce(t("try.answered", { name: one.name, ...told }));
  } else if (one.state === "failed") announce(t("try.failed", { name: one.name, what: one.failure.what ?? "" }));
}

const BODIES = {
  waiting: () => make("p", { class: "quiet" }, t("try.waiting")),
  asking: (one) =>
    make("p", { class: "quiet busy" }, one.pause ? t("try.pause", { n: Math.ceil(one.pause) }) : t("try.asking")),
  failed: (one) => failureNote(one.failure, () => askAgain(one)),
  answered,
};

function answered(one, picture, details) {
  const { row } = one;
  const second = row.top[1];
  const isClose = row.status === "ok" && second && second.probability >= CLOSE * row.probability;
  const more = make("div");
  const panel = (button, draw) => {
    const isOpen = button.getAttribute("aria-expanded") === "true";
    buttons.forEach((other) => other.setAttribute("aria-expanded", "false"));
    takeMapAway(picture);
    button.setAttribute("aria-expanded", String(!isOpen));
    one.open = isOpen ? null : button.dataset.panel;
    show(more, isOpen ? null : draw());
  };
  const opener = (name, label, symbol, draw) => {
    const button = make("button", { type: "button", "aria-expanded": "false", "data-panel": name }, icon(symbol), label);
    button.addEventListener("click", () => panel(button, draw));
    return button;
  };
  const buttons = [
    opener("why", t("try.explain"), "look", () => explanationPanel(one, picture, details)),
    opener("code", t("try.code"), "code", () => code(one)),
  ];
  buttons.find((button) => button.dataset.panel === one.open)?.click();
  return [
    verdict(row),
    isClose && make("p", { class: "quiet" }, t("try.close", { class: second.class })),
    row.note && make("p", { class: "quiet", lang: "en" }, row.note),
    bars(row.top),
    make("div", { class: "actions" }, buttons),
    more,
  ];
}

function code(one) {
  const url = address("predict", predictQuery(one.model));
  const request = { method: "POST", url, headers: { "Content-Type": contentType(one.file) }, file: one.name };
  return make("div", { class: "codes" }, codeBlock("curl", curl(request)), codeBlock("Python", python(request)));
}
