/** Tables whose rows are sorted by a click on a column's head. */

import { make } from "./dom.js";

/**
 * The head of a table. `columns` are {key, label, isNumber}; `order` is {key, isDescending}, which a click changes
 * before it calls `changed`.
 */
export function sortableHead(columns, order, changed) {
  const head = make("tr");
  const cells = columns.map(({ key, label, isNumber }) => {
    const button = make("button", { type: "button" }, label);
    const cell = make("th", { scope: "col", class: isNumber ? "number" : null }, button);
    button.addEventListener("click", () => {
      const isDescending = order.key === key ? !order.isDescending : Boolean(isNumber);
      Object.assign(order, { key, isDescending });
      mark();
      changed();
    });
    return [key, cell];
  });
  function mark() {
    for (const [key, cell] of cells) {
      if (order.key === key) cell.setAttribute("aria-sort", order.isDescending ? "descending" : "ascending");
      else cell.removeAttribute("aria-sort");
    }
  }
  mark();
  head.append(...cells.map(([, cell]) => cell));
  return make("thead", {}, head);
}

const collator = new Intl.Collator(undefined, { numeric: true });

/** Rows in an order; `valueOf` gives a row's value of a key. What has no value comes last. */
export function sorted(rows, { key, isDescending }, valueOf) {
  const sign = isDescending ? -1 : 1;
  const compare = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b : collator.compare(a, b));
  return [...rows].sort((one, other) => {
    const [a, b] = [valueOf(one, key), valueOf(other, key)];
    const [isEmpty, isOtherEmpty] = [a === null || a === undefined, b === null || b === undefined];
    if (isEmpty || isOtherEmpty) return Number(isEmpty) - Number(isOtherEmpty);
    return sign * compare(a, b);
  });
}
