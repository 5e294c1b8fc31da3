/** An image with the map of an explanation over it, and what the network never saw shaded. */

import { draw, make, show } from "./dom.js";
import { icon } from "./icons.js";
import { t } from "./words.js";

const TINY_PX = 128; // smaller images are enlarged less, as square pixels
const TALLEST_PX = 420;
const TINY_SHOWN_PX = 256;

/** An image in base64 as an address; the server sends PNG or JPEG. */
const dataAddress = (base64) => `data:image/${base64.startsWith("/9j/") ? "jpeg" : "png"};base64,${base64}`;

/** A picture of what a reader gave; some formats only the server can read. */
export function pictureOf({ picture, name }) {
  const photo = make("img", { class: "photo", src: picture, alt: t("picture.alt", { name }) });
  const frame = make("div", { class: "picture" }, photo);
  photo.addEventListener("load", () => {
    const { naturalWidth: width, naturalHeight: height } = photo;
    const isTiny = Math.max(width, height) < TINY_PX;
    photo.classList.toggle("tiny", isTiny);
    frame.style.setProperty("aspect-ratio", `${width} / ${height}`);
    frame.style.setProperty("width", `min(100%, ${Math.round((width / height) * (isTiny ? TINY_SHOWN_PX : TALLEST_PX))}px)`);
  });
  photo.addEventListener("error", () => {
    if (photo.src.startsWith("data:")) return;
    show(frame, make("p", { class: "no-preview quiet" }, icon("look"), t("picture.none")));
  });
  return { frame, photo };
}

/** Lay a map over a picture, with an opacity in [0, 1]. */
export function layMap({ frame, photo }, { overlay, image, window: seen, image_size: [height, width] }, opacity) {
  if (!photo.isConnected) {
    photo.src = dataAddress(image);
    show(frame, photo);
  }
  frame.querySelectorAll(".map, .unseen-part").forEach((old) => old.remove());
  const map = make("img", { class: "map", src: dataAddress(overlay), alt: "" });
  const hole = `M${seen.left},${seen.top}v${seen.height}h${seen.width}v${-seen.height}z`;
  const shade = draw(
    "svg",
    { class: "unseen-part", viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", "aria-hidden": "true" },
    draw("path", { d: `M0,0h${width}v${height}h${-width}z${hole}`, "fill-rule": "evenodd" }),
  );
  const isAllSeen = seen.left <= 0 && seen.top <= 0 && seen.left + seen.width >= width && seen.top + seen.height >= height;
  frame.append(map, isAllSeen ? "" : shade);
  setOpacity({ frame }, opacity);
}

/** The stronger a map is shown, the greyer is the image beneath it, so that all colours are the map's. */
export const setOpacity = ({ frame }, opacity) => frame.style.setProperty("--map", opacity);

export function takeMapAway({ frame }) {
  frame.querySelectorAll(".map, .unseen-part").forEach((old) => old.remove());
  frame.style.removeProperty("--map");
}
