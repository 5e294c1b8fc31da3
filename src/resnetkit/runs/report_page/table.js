/** The table of all images, a page at a time. */

const PAGE_ROWS = 50;

class ImageTable {
  chosen = new Set();
  page = 0;
  order = null;

  constructor() {
    this.table = byId("image-table");
    for (const [id, key] of [["true-class", "true"], ["answer-class", "answer"]]) {
      const there = [...new Set(DATA.images[key])].sort((a, b) => byName.compare(CLASSES[a], CLASSES[b]));
      byId(id).append(...there.map((number) => make("option", { value: number }, CLASSES[number])));
    }
    this.fillHead();
    for (const id of ["find", "kind", "true-class", "answer-class"]) byId(id).addEventListener("input", () => this.find());
    const buttons = {
      "no-filter": () => this.filterBy({}),
      "choose-all": () => this.choose(true),
      "choose-none": () => this.choose(false),
      "copy-paths": () => this.copyPaths(),
      "save-csv": () => save(asCsv(this.taken()), "text/csv;charset=utf-8", "images.csv"),
      "page-before": () => this.go(this.page - 1),
      "page-after": () => this.go(this.page + 1),
    };
    for (const [id, work] of Object.entries(buttons)) byId(id).addEventListener("click", work);
    this.find();
  }

  fillHead() {
    const heads = COLUMNS.map(([title, compare, first, kind]) => {
      const head = make("th", { scope: "col", class: kind || null }, make("button", { type: "button" }, title));
      head.firstChild.addEventListener("click", () => {
        this.order = [compare, turn(head, first)];
        this.find();
      });
      return head;
    });
    const others = ["Chosen", "Picture"].map((title) => make("th", { scope: "col" }, make("span", { class: "unseen" }, title)));
    this.table.querySelector("caption")?.remove();
    this.table.tHead.replaceChildren(make("tr", {}, others, heads));
  }

  /** Set all filters, those left out to none. */
  filterBy({ truth = "", answer = "", kind = "all", text = "" }) {
    for (const [id, value] of [["true-class", truth], ["answer-class", answer], ["kind", kind], ["find", text]]) byId(id).value = value;
    this.find();
  }

  find() {
    const [text, kind, truth, answer] = ["find", "kind", "true-class", "answer-class"].map((id) => byId(id).value);
    this.rows = fitting({ text, kind, truth, answer }, this.chosen);
    if (this.order) sorted(this.rows, ...this.order);
    this.go(0);
  }

  go(page) {
    const last = Math.max(0, Math.ceil(this.rows.length / PAGE_ROWS) - 1);
    this.page = Math.min(Math.max(page, 0), last);
    const start = this.page * PAGE_ROWS;
    this.table.tBodies[0].replaceChildren(...this.rows.slice(start, start + PAGE_ROWS).map((row) => this.line(row)));
    byId("page-number").textContent = `Page ${count(this.page + 1)} of ${count(last + 1)}`;
    byId("page-before").disabled = this.page === 0;
    byId("page-after").disabled = this.page === last;
    this.tell();
  }

  tell() {
    const wrong = this.rows.filter(isWrong).length;
    const chosen = this.chosen.size ? `; ${count(this.chosen.size)} chosen` : "";
    byId("table-count").textContent = `${images(this.rows.length)}, ${count(wrong)} of them wrong${chosen}`;
  }

  line(row) {
    const { true: truth, answer, probability, true_probability, margin } = DATA.images;
    const box = make("input", { type: "checkbox", "aria-label": `choose ${nameOf(row)}` });
    box.checked = this.chosen.has(row);
    box.addEventListener("change", () => {
      this.chosen[box.checked ? "add" : "delete"](row);
      this.tell();
    });
    return make(
      "tr",
      {},
      make("td", {}, box),
      make("td", {}, picture(row)),
      make("th", { scope: "row", class: "path" }, nameOf(row)),
      make("td", {}, CLASSES[truth[row]]),
      make("td", { class: isWrong(row) ? "wrong" : null }, CLASSES[answer[row]]),
      [probability, true_probability, margin].map((column) => make("td", { class: "number" }, percent(column[row]))),
    );
  }

  choose(all) {
    if (all) for (const row of this.rows) this.chosen.add(row);
    else this.chosen.clear();
    this.find();
  }

  /** The rows that are chosen; where none is, those that are listed. */
  taken() {
    return this.chosen.size ? ROWS.filter((row) => this.chosen.has(row)) : this.rows;
  }

  async copyPaths() {
    const paths = this.taken().map(pathOf);
    const done = await copy(paths.join("\n"));
    byId("paths").hidden = done;
    byId("paths").value = done ? "" : paths.join("\n");
    byId("table-said").textContent = done ? `${count(paths.length)} ${paths.length === 1 ? "path" : "paths"} copied` : "Copy them from here:";
  }
}

const imageTable = DATA.images ? new ImageTable() : null;

function listInTable(truth, answer) {
  imageTable.filterBy({ truth, answer });
  byId("images").scrollIntoView();
  byId("true-class").focus();
}
