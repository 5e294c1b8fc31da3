/** The images of a cell of the confusion matrix. */

const MOST_TILES = 60;

function tile(row) {
  const { probability, true_probability } = DATA.images;
  const sure = isWrong(row) ? `, true class ${percent(true_probability[row])}` : "";
  return make(
    "figure",
    {},
    picture(row),
    make("figcaption", {}, make("span", { class: "path" }, nameOf(row)), `${percent(probability[row])} sure${sure}`),
  );
}

/** Show the images of a true class that were given an answer; `list` shows them in the table. */
function showCell(truth, answer, list) {
  const rows = ROWS.filter((row) => DATA.images.true[row] === truth && DATA.images.answer[row] === answer);
  const drawer = byId("cell-images");
  const close = make("button", { type: "button", class: "plain" }, "Close");
  const open = make("button", { type: "button", class: "plain" }, "List them below");
  const before = document.activeElement;
  close.addEventListener("click", () => {
    drawer.hidden = true;
    before?.focus();
  });
  open.addEventListener("click", () => list(truth, answer));
  const words = truth === answer ? `${CLASSES[truth]}, and taken for it` : `${CLASSES[truth]}, taken for ${CLASSES[answer]}`;
  const more = rows.length > MOST_TILES ? `The first ${MOST_TILES} of ${images(rows.length)}.` : "";
  drawer.replaceChildren(
    make("h3", {}, `${words}: ${images(rows.length)}`),
    make("div", { class: "controls" }, open, close),
    make("p", { class: "fine-print" }, more),
    make("div", { class: "tiles", role: "region", tabindex: "0", "aria-label": "Images of the cell" }, rows.slice(0, MOST_TILES).map(tile)),
  );
  drawer.hidden = false;
  drawer.focus();
  drawer.scrollIntoView({ block: "nearest" });
}
