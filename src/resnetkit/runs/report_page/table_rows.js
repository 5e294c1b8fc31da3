/** Which rows the table has, and in which order: searched, filtered and sorted. */

/** Letters as they are searched for: in one form, and small. */
const folded = (text) => text.normalize("NFC").toLowerCase();

const KINDS = {
  all: () => true,
  wrong: (row) => isWrong(row),
  right: (row) => !isWrong(row),
  chosen: (row, chosen) => chosen.has(row),
};

/** The rows that fit, in the order in which the page has them: those most worth a look first. */
function fitting({ text, kind, truth, answer }, chosen) {
  const wanted = folded(text);
  const fits = KINDS[kind];
  return ROWS.filter(
    (row) =>
      fits(row, chosen) &&
      (truth === "" || DATA.images.true[row] === Number(truth)) &&
      (answer === "" || DATA.images.answer[row] === Number(answer)) &&
      (wanted === "" || FOLDED[row].includes(wanted)),
  );
}

const FOLDED = ROWS.map((row) => folded(nameOf(row)));

const byName = new Intl.Collator("en", { numeric: true });
const numbers = (key) => (a, b) => DATA.images[key][a] - DATA.images[key][b];
const classes = (key) => (a, b) => byName.compare(CLASSES[DATA.images[key][a]], CLASSES[DATA.images[key][b]]);

// Heading, how rows are compared, and what is at the top first.
const COLUMNS = [
  ["File", (a, b) => byName.compare(nameOf(a), nameOf(b)), "ascending", ""],
  ["True", classes("true"), "ascending", ""],
  ["Answer", classes("answer"), "ascending", ""],
  ["Probability", numbers("probability"), "descending", "number"],
  ["True class", numbers("true_probability"), "ascending", "number"],
  ["Margin", numbers("margin"), "ascending", "number"],
];

/** Sort rows; of equal ones, the order stays. */
const sorted = (rows, compare, isAscending) => rows.sort(isAscending ? compare : (a, b) => compare(b, a));
