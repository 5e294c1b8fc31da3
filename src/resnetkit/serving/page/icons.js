/** Small drawings in the colour of the text beside them. */

import { draw } from "./dom.js";

const PATHS = {
  upload: "M8 11V2.5M4.5 6 8 2.5 11.5 6M2.5 11v2.5h11V11",
  folder: "M1.5 4h4.7l1.5 1.7h6.8v7.3h-13z",
  camera: "M1.5 5h3l1.2-2h4.6l1.2 2h3v8.5h-13zM8 11.6a2.6 2.6 0 1 0 0-5.2 2.6 2.6 0 0 0 0 5.2z",
  look: "M1.2 8S3.6 3.6 8 3.6 14.8 8 14.8 8 12.4 12.4 8 12.4 1.2 8 1.2 8zM8 10a2 2 0 1 0 0-4 2 2 0 0 0 0 4z",
  copy: "M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3",
  done: "M2.5 8.5 6.2 12 13.5 4.5",
  close: "M3.5 3.5l9 9M12.5 3.5l-9 9",
  again: "M13.2 6.5A5.5 5.5 0 1 0 13.5 9M13.5 2.8v3.9H9.6",
  play: "M4.5 2.8v10.4L13 8z",
  stop: "M4 4h8v8H4z",
  download: "M8 2.5V11M4.5 7.5 8 11l3.5-3.5M2.5 13.5h11",
  light: "M8 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM8 1v1.6M8 13.4V15M1 8h1.6M13.4 8H15M3 3l1.2 1.2M11.8 11.8 13 13M13 3l-1.2 1.2M4.2 11.8 3 13",
  dark: "M13.5 9.5A6 6 0 0 1 6.5 2.5a6 6 0 1 0 7 7z",
  system: "M1.5 3h13v8.5h-13zM5.5 14h5",
  code: "M5 4 1.5 8 5 12M11 4l3.5 4-3.5 4",
};

export const icon = (name) =>
  draw("svg", { class: "icon", viewBox: "0 0 16 16", "aria-hidden": "true" }, draw("path", { d: PATHS[name] }));

/** The mark of the project: a layer, and the skip around it. */
export const mark = () =>
  draw(
    "svg",
    { class: "mark", viewBox: "0 0 24 24", "aria-hidden": "true" },
    draw("rect", { width: 24, height: 24, rx: 5 }),
    draw("path", { d: "M4 16h16M6 16c0-10 12-10 12 0" }),
  );
