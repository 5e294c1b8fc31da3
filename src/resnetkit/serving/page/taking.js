/** Images that readers give: dropped, pasted or picked, alone or in folders. */

import { make } from "./dom.js";
import { icon } from "./icons.js";
import { t } from "./words.js";

const isHidden = (file) => file.name.startsWith(".") || file.name === "Thumbs.db" || file.name === "desktop.ini";

/** A file with the name that it is told by, which within a folder is its path there. */
const named = (file, path = file.webkitRelativePath || file.name) => ({ file, name: path });

async function* walk(entry) {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    yield named(file, entry.fullPath.replace(/^\//, ""));
    return;
  }
  const reader = entry.createReader();
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject)); // a hundred at most
    if (!some.length) return;
    for (const one of some) yield* walk(one);
  }
}

async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.some((entry) => entry.isDirectory)) return [...transfer.files].map((file) => named(file));
  const found = [];
  for (const entry of entries) for await (const one of walk(entry)) found.push(one);
  return found.filter(({ file }) => !isHidden(file));
}

/** Give what is dropped or pasted anywhere on the page to `take`. */
export function takeImages(take) {
  const body = document.body;
  const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");
  addEventListener("dragover", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    body.classList.add("dragging");
  });
  addEventListener("dragleave", (event) => event.relatedTarget ?? body.classList.remove("dragging"));
  addEventListener("drop", async (event) => {
    body.classList.remove("dragging");
    if (!carriesFiles(event)) return;
    event.preventDefault();
    const files = await dropped(event.dataTransfer);
    if (files.length) take(files);
  });
  addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])].map((file) => named(file));
    if (files.length) take(files);
  });
}

/** A button that lets files be picked, or with `folder` all files of a folder. */
export function pickButton({ label, primary = false, folder = false, id, take }) {
  const field = make("input", {
    id, type: "file", class: "unseen", tabindex: "-1", "aria-hidden": "true", multiple: true,
    webkitdirectory: folder, accept: folder ? null : "image/*,.heic,.heif,.avif,.tif,.tiff",
    on: {
      change: () => {
        const files = [...field.files].map((file) => named(file)).filter(({ file }) => !folder || !isHidden(file));
        field.value = ""; // so that the same file can be picked again
        if (files.length) take(files);
      },
    },
  });
  const click = () => field.click();
  const button = make("button", { type: "button", class: primary ? "primary" : null, on: { click } }, icon(folder ? "folder" : "upload"), label);
  return [button, field];
}

/** The place that says where images can be dropped, with buttons in it. */
export const dropPlace = (isSmall, ...buttons) =>
  make(
    "div",
    { class: isSmall ? "drop small" : "drop" },
    make("div", { class: "actions" }, buttons),
    make("p", { class: "quiet" }, t("take.hint")),
  );
