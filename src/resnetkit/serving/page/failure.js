/** What went wrong, in words: what, why, and what to do about it. */

import { make } from "./dom.js";
import { icon } from "./icons.js";
import { t } from "./words.js";

export class Failure extends Error {
  /** `status` is that of HTTP, or 0 where the server was not reached. */
  constructor(status, { what, why = "", fix = "" }) {
    super([what, why, fix].filter(Boolean).join("; "));
    Object.assign(this, { status, what, why, fix });
  }

  static unreachable() {
    return new Failure(0, {
      what: t("failure.unreachable"),
      why: t("failure.unreachable.why"),
      fix: t("failure.unreachable.fix"),
    });
  }

  /** The failure that an answer of the server tells of. */
  static async of(response) {
    const text = await response.text().catch(() => "");
    let told = null;
    try {
      told = JSON.parse(text);
    } catch {
      // told of below by its status alone
    }
    const error = told?.error ?? told?.reason;
    if (typeof error === "string") return new Failure(response.status, { what: error });
    if (typeof error?.what === "string") return new Failure(response.status, error);
    return new Failure(response.status, {
      what: t("failure.status", { status: String(response.status) }),
      why: response.statusText,
      fix: t("failure.status.fix"),
    });
  }
}

/** A failure as a note, with a way to try again where there is one. */
export function failureNote(failure, again = null) {
  const inEnglish = failure.status === 0 ? null : "en"; // the server's words are
  return make(
    "div",
    { class: "note failure" },
    make("p", { class: "what", lang: inEnglish }, failure.what || String(failure.message)),
    failure.why && make("p", {}, make("span", { class: "quiet" }, t("failure.why")), " ", make("span", { lang: inEnglish }, failure.why)),
    failure.fix && make("p", {}, make("span", { class: "quiet" }, t("failure.fix")), " ", make("span", { lang: inEnglish }, failure.fix)),
    again && make("button", { type: "button", class: "small", on: { click: again } }, icon("again"), t("failure.again")),
  );
}
