/** An answer in words, and as bars: the most probable classes, best first. */

import { make } from "./dom.js";
import { percent, t } from "./words.js";

/** True where an image was looked at, whatever came of it. */
export const isAnswered = (status) => ["ok", "unsure", "unknown"].includes(status);

/** What an answer comes to: the class, or why there is none, and the set of classes where one is made and can hold it. */
export function verdict(row) {
  const named = [make("strong", {}, row.class), " ", make("span", { class: "share" }, percent(row.probability ?? 0))];
  const isOk = row.status === "ok";
  return [
    make("p", { class: "verdict" }, isOk ? named : make("strong", {}, t(`answer.${row.status}`))),
    !isOk && make("p", {}, t(`answer.${row.status}.why`)),
    row.set && row.status !== "unknown" && make("p", { class: "set" }, t("answer.set", { names: row.set.join(t("answer.set.comma")) })),
  ];
}

export const bars = (top) =>
  make(
    "ol",
    { class: "bars" },
    top.map(({ class: name, probability }) =>
      make(
        "li",
        {},
        make("span", { class: "name" }, name),
        make("span", { class: "track", "aria-hidden": "true" }, make("span", { set: { width: `${100 * probability}%` } })),
        make("span", { class: "share" }, percent(probability)),
      ),
    ),
  );
