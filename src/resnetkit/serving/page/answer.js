/** An answer as bars: the most probable classes, best first. */

import { make } from "./dom.js";
import { percent } from "./words.js";

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
