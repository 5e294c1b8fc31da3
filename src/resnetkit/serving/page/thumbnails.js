/** Images of the run's data, a part at a time, fetched when they come into sight. */

import { make } from "./dom.js";
import { ask } from "./server.js";
import { percent, t } from "./words.js";

const SHOWN = 24;
const SIZE_PX = 160;

/** Pictures of rows; `caption(row)` says what is told of each. The pictures' addresses are added to `urls`. */
export function thumbnails(details, rows, urls) {
  const grid = make("div", { class: "mistakes" });
  const more = make("button", { type: "button", on: { click: () => add() } });
  let numShown = 0;
  const watcher = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      watcher.unobserve(target);
      load(details, target, urls);
    }
  }, { rootMargin: "200px" });

  function add() {
    const next = rows.slice(numShown, numShown + SHOWN);
    const figures = next.map(figure);
    grid.append(...figures);
    figures.forEach((one) => watcher.observe(one.querySelector(".thumbnail")));
    const hadFocus = document.activeElement === more;
    numShown += next.length;
    more.hidden = numShown >= rows.length;
    more.textContent = t("results.more", { n: Math.min(SHOWN, rows.length - numShown) });
    if (hadFocus && more.hidden) figures[0].querySelector(".thumbnail").focus();
  }
  add();
  return [grid, make("p", {}, more)];
}

function figure(row) {
  const isRight = row.true === row.answer;
  const place = make("div", { class: "thumbnail", "data-index": row.index, "data-name": row.path, tabindex: "-1" });
  return make(
    "figure",
    {},
    place,
    make(
      "figcaption",
      {},
      make("span", { class: isRight ? "right-answer" : "wrong" }, `${row.answer} ${percent(row.probability)}`),
      isRight ? null : make("span", {}, t("results.truly", { name: row.true, share: percent(row.true_probability) })),
      make("span", { class: "path quiet" }, row.path),
    ),
  );
}

async function load(details, place, urls) {
  const { index, name } = place.dataset;
  try {
    const path = `models/${encodeURIComponent(details.name)}/results/images/${index}`;
    const response = await ask(path, { query: { size: SIZE_PX } });
    const url = URL.createObjectURL(await response.blob());
    urls.push(url);
    const image = make("img", { src: url, alt: name });
    image.addEventListener("load", () => image.classList.toggle("tiny", Math.max(image.naturalWidth, image.naturalHeight) < 96));
    place.replaceChildren(image);
  } catch {
    place.replaceChildren(make("span", { class: "quiet" }, t("results.gone")));
  }
}
