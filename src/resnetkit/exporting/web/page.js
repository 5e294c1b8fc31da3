// The page: images come in by a choice, a drop, a paste or the camera, and become cards.

import { setUpCamera } from "./camera.js";
import { elementsOf, newCard, pictureOf, pictureOfBitmap } from "./cards.js";
import { open } from "./network.js";
import { percent, setPercent, switchLanguage, write, writeAll } from "./words.js";

const byId = (id) => document.getElementById(id);
const USUAL_TOP = 5;

let network, about;
let cards = [];
let numPhotos = 0;
const count = { done: 0, all: 0 };

const top = () => Math.min(about.class_names.length, Math.max(1, Math.trunc(byId("top").valueAsNumber) || 1));

const show = () => {
  byId("answers").hidden = !cards.length;
  write(byId("status"), "status", { ...count });
};

// `given` are pairs of a source for the network and a card; the newest stand first, in the order they came in.
const take = (given) => {
  if (!given.length) return;
  byId("cards").prepend(...given.map(([, card]) => card.item));
  cards.push(...given.map(([, card]) => card));
  if (count.done === count.all) count.done = count.all = 0;
  count.all += given.length;
  show();
  for (const [source, card] of given)
    network
      .classify(source)
      .then(
        (answer) => card.answer(answer, about, top()),
        ({ code, values }) => card.refuse(code, values),
      )
      .then(() => {
        count.done++;
        show();
      });
};

const takeFiles = (files, name = (file) => file.name) =>
  take([...files].map((file) => [file, newCard(pictureOf(file), name(file))]));

const takePhoto = (bitmap) => take([[bitmap, newCard(pictureOfBitmap(bitmap), ["photo", { number: ++numPhotos }])]]);

const answerLive = async (bitmap) => elementsOf(await network.classify(bitmap), about, top());

// What its thresholds have the classifier say, each in a sentence.
const tellThresholds = ({ unknown, sure, sets }) => {
  const told = [
    unknown && ["thresholdUnknown", { share: setPercent(unknown.rate) }],
    sure && ["thresholdUnsure", { least: percent(sure.least, 2), share: setPercent(sure.precision) }],
    sets && ["thresholdSets", { share: setPercent(sets.coverage) }],
  ].filter(Boolean);
  byId("thresholds").hidden = !told.length;
  byId("thresholds").replaceChildren(
    ...told.map((sentence) => {
      const line = document.createElement("li");
      write(line, ...sentence);
      return line;
    }),
  );
};

const hasFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");

const setUp = () => {
  byId("files").addEventListener("change", ({ target }) => {
    takeFiles(target.files);
    target.value = ""; // so that the same file can be chosen again
  });
  document.addEventListener("dragover", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    document.body.classList.add("dropping");
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) document.body.classList.remove("dropping");
  });
  document.addEventListener("drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    document.body.classList.remove("dropping");
    takeFiles(event.dataTransfer.files);
  });
  document.addEventListener("paste", ({ clipboardData }) => takeFiles(clipboardData?.files ?? [], () => ["pasted", {}]));
  setUpCamera({ onPhoto: takePhoto, onLive: answerLive });
  byId("top").addEventListener("input", () => cards.forEach((card) => card.redraw(top())));
  byId("clear").addEventListener("click", () => {
    for (const image of document.querySelectorAll("img.picture")) URL.revokeObjectURL(image.src);
    byId("cards").replaceChildren();
    cards = [];
    show();
    byId("files").focus();
  });
};

const begin = async () => {
  byId("language").addEventListener("click", switchLanguage);
  writeAll();
  const [line, progress] = [byId("loading-words"), byId("progress")];
  progress.hidden = false;
  write(line, "preparing");
  try {
    network = await open(({ length, total }) => {
      write(line, length === total ? "preparing" : "loading", { length, total });
      if (total) Object.assign(progress, { max: total, value: length });
    });
  } catch (error) {
    write(line, "notLoaded", { reason: error.message });
    line.className = "problem";
    line.setAttribute("role", "alert");
    progress.hidden = true;
    return;
  }
  const { description, threads, runtime } = network;
  about = { ...description, threads };
  const classes = about.class_names.length;
  byId("title").textContent = document.title = about.name;
  write(byId("about"), "about", { classes, size: about.preprocessing.image_size_px });
  tellThresholds(about.decision);
  write(byId("speed"), "speed", { runtime, threads });
  Object.assign(byId("top"), { max: classes, value: Math.min(USUAL_TOP, classes) });
  setUp();
  byId("loading").hidden = true;
  byId("asking").hidden = false;
};

begin();
