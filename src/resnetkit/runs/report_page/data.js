/** What this page knows, as it is embedded in it. */

const DATA = JSON.parse(byId("embedded").textContent);
const CLASSES = (DATA.classes ?? []).map(seen);

/** Numbers of the rows of all images; none on a page that leaves images out. */
const ROWS = DATA.images ? DATA.images.image.map((_, row) => row) : [];

const NAMES = (DATA.images?.image ?? []).map(seen);

const isWrong = (row) => DATA.images.true[row] !== DATA.images.answer[row];
const nameOf = (row) => NAMES[row];

/** A path that can be typed or pasted: the whole one where the images are files, and never one that does something. */
function pathOf(row) {
  const { root, image } = DATA.images;
  const isWhole = root === null || /^([/\\]|[A-Za-z]:)/.test(image[row]);
  return seen(isWhole ? image[row] : `${root}${root.endsWith("/") ? "" : "/"}${image[row]}`);
}

/** The small picture of an image, or a space of its size. */
function picture(row, alt = "") {
  const code = DATA.images.picture[row];
  if (!code) return make("span", { class: "no-picture" });
  return make("img", { src: DATA.images.picture_prefix + code, alt, on: { load: keepSquares } });
}

// Images of few pixels are shown as the squares they are made of.
function keepSquares(event) {
  event.target.classList.toggle("pixelated", event.target.naturalWidth < 40);
}

document.querySelectorAll("[data-script]").forEach((element) => (element.hidden = false));
