/** Try: an image in, the answer and its reasons out. */

import { addTries, askAgain, tried } from "./asking.js";
import { giveToBatch } from "./batch_view.js";
import { cameraButton } from "./camera.js";
import { make, show } from "./dom.js";
import { served } from "./served.js";
import { dropPlace, pickButton } from "./taking.js";
import { tryCard } from "./try_card.js";
import { t } from "./words.js";

const MANY = 24; // images; more are for the batch
const CLASSES_SHOWN = 24;

let take = null; // what the view on screen does with images

/** Give images to this view, which need not be on screen. */
export function giveToTry(files) {
  if (take) take(files);
  else if (files.length <= MANY) addTries(files);
  else giveMany(files);
}

function giveMany(files) {
  giveToBatch(files);
  location.hash = "#/batch";
}

function knownClasses(names) {
  const numMore = names.length - CLASSES_SHOWN;
  return make(
    "div",
    { class: "knows" },
    make("p", { class: "quiet" }, t("try.knows")),
    make(
      "ul",
      { class: "names" },
      names.slice(0, CLASSES_SHOWN).map((name) => make("li", {}, name)),
      numMore > 0 && make("li", { class: "more" }, make("a", { href: "#/model" }, t("try.knows.more", { n: numMore }))),
    ),
  );
}

export function tryView(root, details) {
  const place = make("div");
  const cards = make("div", { class: "cards" });
  const numClasses = details.description.class_names.length;

  const drawPlace = () => {
    const buttons = [pickButton({ label: t("take.pick"), primary: true, id: "pick", take: add }), cameraButton(add)];
    const clear = make("button", { type: "button", on: { click: () => tried.length && [...tried].forEach(removeCard) } }, t("try.clear"));
    show(place, dropPlace(tried.length > 0, buttons, tried.length > 1 && clear));
    if (!tried.length) place.append(knownClasses(details.description.class_names));
  };
  const drawn = new Map();
  const removed = (one) => {
    const next = drawn.get(one).nextElementSibling ?? drawn.get(one).previousElementSibling;
    drawn.get(one).remove();
    drawn.delete(one);
    if (tried.length < 2) drawPlace();
    (next?.querySelector("button") ?? place.querySelector("button")).focus();
  };
  const removeCard = (one) => drawn.get(one).querySelector(".remove").click();
  const card = (one) => {
    drawn.set(one, tryCard(one, details, removed));
    return drawn.get(one);
  };
  function add(files) {
    if (files.length > MANY) {
      giveMany(files);
      return;
    }
    cards.prepend(...addTries(files).map(card));
    drawPlace();
  }

  drawPlace();
  tried.filter((one) => one.model && one.model !== served.chosen).forEach(askAgain);
  show(cards, tried.map(card));
  show(
    root,
    make("h1", {}, t("try.title")),
    make("p", { class: "lead" }, t("try.lead", { name: details.name, n: numClasses })),
    place,
    cards,
  );
  take = add;
  return () => {
    take = null;
    tried.forEach((one) => (one.changed = () => {}));
  };
}
