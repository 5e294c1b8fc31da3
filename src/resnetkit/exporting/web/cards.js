// What is shown of an answer. Names of files and classes only ever become text.

import { best } from "./deciding.js";
import { percent, write } from "./words.js";

const element = (tag, className = "", ...children) => {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children);
  return made;
};

const sentence = (kind, key, values) => {
  const line = element("p", kind);
  write(line, key, values);
  return line;
};

// The `count` most probable classes with their bars.
const bars = ({ probabilities, status }, classNames, count) => {
  const list = element("ol", status === "ok" ? "bars named" : "bars"); // named: the first of them is the answer
  for (const index of best(probabilities, count)) {
    const filled = element("span");
    filled.style.width = `${100 * probabilities[index]}%`;
    const bar = element("div", "bar", filled);
    bar.setAttribute("aria-hidden", "true");
    const share = element("span", "share", percent(probabilities[index]));
    list.append(element("li", "", element("bdi", "name", classNames[index]), share, bar));
  }
  return list;
};

// An answer: where it is no class, why; the set of classes where one is made and can hold the true one; the most
// probable classes; what it took.
export const elementsOf = (answer, { class_names: classNames, threads }, count) => {
  const { status, inSet, width, height, milliseconds } = answer;
  const names = inSet?.map((index) => classNames[index]);
  return [
    ...(status === "ok" ? [] : [sentence("doubt", status)]),
    ...(inSet && status !== "unknown" ? [sentence("set", "set", { names })] : []),
    bars(answer, classNames, count),
    sentence("fine", "fine", { width, height, threads, milliseconds: Math.round(milliseconds) }),
  ];
};

// A card that waits; `answer` and `refuse` say what came of it, `redraw` shows another number of classes.
export const newCard = (picture, name) => {
  const title = element("h3", "", element("bdi"));
  if (typeof name === "string") title.firstChild.textContent = name;
  else write(title.firstChild, ...name);
  const told = element("div", "told", title, sentence("fine", "waiting"));
  const item = element("li", "", picture, told);
  let draw = () => {};
  return {
    item,
    answer(answer, about, count) {
      draw = (count) => told.replaceChildren(title, ...elementsOf(answer, about, count));
      draw(count);
    },
    refuse(code, values) {
      told.replaceChildren(title, sentence("problem", code, values));
      picture.remove();
    },
    redraw: (count) => draw(count),
  };
};

// A picture of a file, which is asked for when it is near the screen.
export const pictureOf = (file) => {
  const image = element("img", "picture");
  Object.assign(image, { alt: "", loading: "lazy", decoding: "async", src: URL.createObjectURL(file) });
  return image;
};

export const pictureOfBitmap = (bitmap) => {
  const canvas = element("canvas", "picture");
  Object.assign(canvas, { width: bitmap.width, height: bitmap.height });
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
  return canvas;
};
