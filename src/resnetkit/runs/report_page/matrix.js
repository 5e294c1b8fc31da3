/** The confusion matrix: sorted, as counts or shares, each cell opening its images. */

const MOST_CLASSES = 30; // more cells would be too small for their numbers
const STEPS = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] };

class Matrix {
  constructor(confusion) {
    this.confusion = confusion;
    this.table = make("table", { class: "matrix", on: { keydown: (event) => this.move(event) } });
    for (const id of ["matrix-order", "matrix-share"]) byId(id).addEventListener("input", () => this.fill());
    byId("matrix-place").hidden = false;
    byId("matrix-place").querySelector(".scroll").replaceChildren(this.table);
    const part = byId("matrix-part");
    part.hidden = CLASSES.length <= MOST_CLASSES;
    part.textContent = `The ${MOST_CLASSES} classes of ${count(CLASSES.length)} that are confused most.`;
    this.fill();
  }

  fill() {
    const shown = this.confusion.classes(byId("matrix-order").value, MOST_CLASSES);
    const head = shown.map((one) => make("th", { scope: "col", title: CLASSES[one] }, make("span", {}, short(CLASSES[one]))));
    const rows = shown.map((truth) =>
      make("tr", {}, make("th", { scope: "row", title: CLASSES[truth] }, short(CLASSES[truth])), shown.map((answer) => this.cell(truth, answer))),
    );
    this.table.replaceChildren(
      make("caption", {}, "Rows: true classes. Columns: answers."),
      make("thead", {}, make("tr", {}, make("td", {}), head)),
      make("tbody", {}, rows),
    );
    this.table.querySelector("tbody button")?.setAttribute("tabindex", "0");
  }

  cell(truth, answer) {
    const number = this.confusion.number(truth, answer);
    if (!number) return make("td", {});
    const { sizes, given } = this.confusion;
    const wanted = byId("matrix-share").value;
    const share = number / (wanted === "column" ? given[answer] : sizes[truth]);
    const text = wanted === "count" ? count(number) : percentDigits(share, share < 0.0995 ? 1 : 0).replace("\u00a0", "");
    const label = `true ${CLASSES[truth]}, answer ${CLASSES[answer]}: ${images(number)}, ${percent(number / sizes[truth])} of the class`;
    const look = { class: truth === answer ? "cell right" : "cell wrong", title: label, "aria-label": label, set: { "--share": Math.cbrt(share).toFixed(3) } };
    if (!DATA.images) return make("td", {}, make("span", { ...look, role: "img" }, text));
    const open = () => showCell(truth, answer, listInTable);
    return make("td", {}, make("button", { ...look, type: "button", tabindex: "-1", on: { click: open } }, text));
  }

  /** Arrow keys go from cell to cell, over empty ones. */
  move(event) {
    const step = STEPS[event.key];
    const from = event.target.closest("td");
    if (!step || !from) return;
    event.preventDefault();
    const rows = [...this.table.tBodies[0].rows];
    let [y, x] = [rows.indexOf(from.parentElement) + step[0], from.cellIndex + step[1]];
    for (; rows[y]?.cells[x]; y += step[0], x += step[1]) {
      const button = rows[y].cells[x].querySelector("button");
      if (!button) continue;
      this.table.querySelector('button[tabindex="0"]')?.setAttribute("tabindex", "-1");
      button.setAttribute("tabindex", "0");
      button.focus();
      return;
    }
  }
}

function openPairs() {
  for (const row of document.querySelectorAll("#pairs [data-pair]")) {
    const [truth, answer] = row.dataset.pair.split(" ").map(Number);
    const number = Number(row.cells[2].textContent.replaceAll(",", ""));
    const label = `${images(number)} of ${CLASSES[truth]}, taken for ${CLASSES[answer]}`;
    const open = () => showCell(truth, answer, listInTable);
    row.cells[2].replaceChildren(make("button", { type: "button", class: "link", "aria-label": label, on: { click: open } }, count(number)));
  }
}

if (byId("confusion")) new Matrix(new Confusion(DATA.cells, CLASSES.length));
if (DATA.images) openPairs();
