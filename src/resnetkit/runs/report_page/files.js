/** The table as a file, with columns of predictions.csv. */

const CSV_COLUMNS = ["image", "split", "true_class", "predicted_class", "probability", "true_probability", "margin", "correct"];
const CSV_DIGITS = 6; // as many as this page knows

/** A field of CSV. What a spreadsheet would take for a formula becomes text, as with `predict --csv-safe`. */
function field(value) {
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function asCsv(rows) {
  const { split, image, true: truth, answer, probability, true_probability, margin } = DATA.images;
  const numbers = [probability, true_probability, margin];
  const lines = rows.map((row) => [
    ...[image[row], split, DATA.classes[truth[row]], DATA.classes[answer[row]]],
    ...numbers.map((column) => column[row].toFixed(CSV_DIGITS)),
    isWrong(row) ? "false" : "true",
  ]);
  return [CSV_COLUMNS, ...lines].map((line) => `${line.map(field).join(",")}\n`).join("");
}

function save(text, type, name) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  make("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
