// What is shown of an answer. Names of files and classes only ever become text.

import { best } from "./deciding.js";
import { percent, write } from "./words.js";

const element = (tag, className = "", ...children) => {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children);
  return made;
};

// The `count` most probable classes with their bars.
export const bars = (probabilities, classNames, count) => {
  const list = element("ol", "bars");
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

// What thresholds have to say of an answer: where it is no class, and the set of classes where one is made.
export const verdict = ({ status, inSet }, classNames, decision) => {
  const told = [];
  if (status !== "ok") {
    const line = element("p", "doubt");
    write(line, status);
    told.push(line);
  }
  if (inSet && status !== "unknown") {
    const line = element("p", "set");
    write(line, "set", { names: inSet.map((index) => classNames[index]), coverage: decision.sets.coverage });
    told.push(line);
  }
  return told;
};

export const fine = (answer, threads) => {
  const line = element("p", "fine");
  const { width, height } = answer;
  write(line, "fine", { width, height, threads, milliseconds: Math.round(answer.milliseconds) });
  return line;
};

// A card that waits; `answer` and `refuse` say what came of it, `redraw` shows another number of classes.
export const newCard = (picture, name) => {
  const title = element("h3", "", element("bdi"));
  if (typeof name === "string") title.firstChild.textContent = name;
  else write(title.firstChild, ...name);
  const waiting = element("p", "fine");
  write(waiting, "waiting");
  const told = element("div", "told", title, waiting);
  const item = element("li", "", picture, told);
  let draw = () => {};
  return {
    item,
    answer(answer, { class_names: classNames, decision }, threads, count) {
      draw = (count) =>
        told.replaceChildren(
          title,
          ...verdict(answer, classNames, decision),
          bars(answer.probabilities, classNames, count),
          fine(answer, threads),
        );
      draw(count);
    },
    refuse(code, values) {
      const problem = element("p", "problem");
      write(problem, code, values);
      told.replaceChildren(title, problem);
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
