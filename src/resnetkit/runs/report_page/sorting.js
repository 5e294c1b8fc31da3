/** Tables whose rows are all there, sorted by their headings. */

const OPPOSITE = { ascending: "descending", descending: "ascending" };

/** Mark the heading that a table is sorted by, each time the other way round; tells whether it is ascending. */
function turn(head, first = "ascending") {
  const before = head.getAttribute("aria-sort");
  for (const other of head.parentElement.cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", OPPOSITE[before] ?? first);
  return head.getAttribute("aria-sort") === "ascending";
}

for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  const sortBy = (column) => {
    const sign = turn(heads[column]) ? 1 : -1;
    const value = (row) => row.cells[column].dataset.value;
    // An undefined score has no place in either order: it stays last.
    const order = (a, b) => (value(a) === "") - (value(b) === "") || sign * (value(a) - value(b));
    table.tBodies[0].append(...[...table.tBodies[0].rows].sort(order));
  };
  heads.forEach((head, column) => head.querySelector("button")?.addEventListener("click", () => sortBy(column)));
}
