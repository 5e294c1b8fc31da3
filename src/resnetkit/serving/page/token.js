/** The question for a token, where the server wants one. */

import { make } from "./dom.js";
import { keepToken, token } from "./stored.js";
import { t } from "./words.js";

let asking = null;

/** Ask for a token in place of the one that was refused; false where the reader gives none. One question at a time. */
export function newToken(refused) {
  if (token() !== refused) return Promise.resolve(true); // somebody else has been asked meanwhile
  asking ??= question(refused !== null).finally(() => (asking = null));
  return asking;
}

function question(wasRefused) {
  return new Promise((resolve) => {
    const field = make("input", {
      id: "token", type: "password", autocomplete: "off", required: true, spellcheck: "false",
      "aria-describedby": "token-why",
    });
    const form = make(
      "form",
      { method: "dialog" },
      make("h2", { id: "token-title" }, t("token.title")),
      make("p", { id: "token-why", class: "quiet" }, t(wasRefused ? "token.refused" : "token.why")),
      make("label", { for: "token" }, t("token.label")),
      field,
      make(
        "div",
        { class: "actions" },
        make("button", { type: "submit", value: "given", class: "primary" }, t("token.use")),
        make("button", { type: "submit", value: "none", formnovalidate: true }, t("cancel")),
      ),
    );
    const dialog = make("dialog", { "aria-labelledby": "token-title" }, form);
    dialog.addEventListener("close", () => {
      const given = dialog.returnValue === "given" && field.value.trim();
      if (given) keepToken(given);
      dialog.remove();
      resolve(Boolean(given));
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
