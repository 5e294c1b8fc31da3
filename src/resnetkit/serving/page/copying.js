/** Text that can be copied. */

import { announce, make, show } from "./dom.js";
import { icon } from "./icons.js";
import { t } from "./words.js";

const SHOWN_MILLISECONDS = 1600;

async function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  // Pages that do not come over HTTPS, or from this machine, have no clipboard; selected text they can copy.
  const area = make("textarea", { class: "unseen" });
  area.value = text;
  document.body.append(area);
  area.select();
  const isDone = document.execCommand("copy");
  area.remove();
  if (!isDone) throw new Error("not copied");
}

export function copyButton(label, text) {
  const face = () => [icon("copy"), label];
  const button = make("button", { type: "button", class: "small" }, face());
  button.addEventListener("click", async () => {
    try {
      await copy(text);
      show(button, icon("done"), t("copy.done"));
      announce(t("copy.done"));
    } catch {
      show(button, t("copy.failed"));
    }
    setTimeout(() => show(button, face()), SHOWN_MILLISECONDS);
  });
  return button;
}

/** Code with its name, and a button that copies it. */
export const codeBlock = (name, text) =>
  make(
    "div",
    { class: "code" },
    make("div", { class: "head" }, make("span", { class: "quiet" }, name), copyButton(t("copy.label", { name }), text)),
    make("pre", { tabindex: "0", role: "group", "aria-label": name }, text),
  );
