/** The answers of a batch as files, with the columns of `resnetkit predict`. */

const TOP = 5;

const pathOf = ({ name }) => name;

/** A field of CSV. What a spreadsheet would take for a formula becomes text, as with `predict --csv-safe`. */
function field(value) {
  let text = String(value ?? "");
  if (/^[=+\-@\t\r]/.test(text)) text = `'${text}`;
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

export function asCsv(images) {
  const width = Math.max(1, ...images.map(({ row }) => Math.min(TOP, row?.top?.length ?? 0)));
  const numbers = Array.from({ length: width }, (_, i) => i + 1);
  const hasSets = images.some(({ row }) => row?.set);
  const head = ["path", "status", "reason", ...numbers.flatMap((n) => [`class_${n}`, `probability_${n}`]), ...(hasSets ? ["set"] : [])];
  const lines = images.map((image) => {
    const top = image.row?.top ?? [];
    const answers = numbers.flatMap((n) => [top[n - 1]?.class, top[n - 1]?.probability]);
    const set = hasSets ? [image.row?.set ? JSON.stringify(image.row.set) : ""] : [];
    return [pathOf(image), image.state, image.reason, ...answers, ...set];
  });
  return [head, ...lines].map((line) => `${line.map(field).join(",")}\n`).join("");
}

export function asJson({ images, model, versions }) {
  const none = { class: null, probability: null, top: [] };
  const rows = images.map((image) => {
    const row = image.row ?? { path: "", status: image.state, reason: image.reason, ...none };
    return { ...row, path: pathOf(image) };
  });
  return `${JSON.stringify({ model, version: [...versions].join(", "), rows }, null, 1)}\n`;
}

export function save(text, type, name) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
