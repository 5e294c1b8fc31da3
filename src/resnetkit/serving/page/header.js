/** What stands above every view: the ways to the others, the classifier, language and theme. */

import { make, show } from "./dom.js";
import { icon, mark } from "./icons.js";
import { chosen, chooseClassifier, served } from "./served.js";
import { choice, choose } from "./stored.js";
import { isTold, language, setLanguage, t } from "./words.js";

const THEMES = ["system", "light", "dark"];
export const VIEWS = ["try", "batch", "model", "results", "api"];

/** Draw it anew; `changed` is called when the language has changed. */
export function drawHeader(current, hasResults, changed) {
  const focused = document.activeElement?.id;
  const views = VIEWS.filter((view) => view !== "results" || hasResults);
  show(
    document.getElementById("header"),
    make(
      "div",
      { class: "bar" },
      make("a", { class: "brand", href: "#/try", "aria-label": "resnetkit" }, mark(), make("span", {}, "resnetkit")),
      make(
        "nav",
        { "aria-label": t("nav.label") },
        views.map((view) =>
          make("a", { href: `#/${view}`, "aria-current": view === current ? "page" : null }, t(`nav.${view}`)),
        ),
      ),
      make("div", { class: "settings" }, classifier(), languageButton(changed), themeButton()),
    ),
  );
  if (focused) document.getElementById(focused)?.focus();
}

/** A classifier's state in words. */
export const stateWords = ({ state }) => (isTold(`state.${state}`) ? t(`state.${state}`) : state);

function classifier() {
  const model = chosen();
  if (!model) return null;
  const words = stateWords(model);
  const dot = make("span", { class: `dot ${model.state === "ready" ? "ready" : "waiting"}`, title: words });
  const state = make("span", { class: model.state === "ready" ? "unseen" : "quiet" }, words);
  if (served.models.length === 1) return make("span", { class: "classifier" }, dot, make("span", { class: "name" }, model.name), state);
  const select = make(
    "select",
    { id: "classifier", "aria-label": t("classifier.label"), on: { change: (event) => chooseClassifier(event.target.value) } },
    served.models.map((one) => make("option", { value: one.name, selected: one.name === served.chosen }, one.name)),
  );
  return make("span", { class: "classifier" }, dot, select, state);
}

function languageButton(changed) {
  const other = language() === "zh" ? "en" : "zh";
  const attributes = { id: "language", type: "button", class: "plain", lang: other === "zh" ? "zh-Hans" : "en" };
  const click = () => (setLanguage(other), changed());
  return make("button", { ...attributes, on: { click } }, other === "zh" ? "中文" : "English");
}

function themeButton() {
  const now = THEMES.includes(choice("theme")) ? choice("theme") : "system";
  const next = THEMES[(THEMES.indexOf(now) + 1) % THEMES.length];
  const label = t("theme.label", { now: t(`theme.${now}`), next: t(`theme.${next}`) });
  const click = (event) => {
    choose("theme", next);
    if (next === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = next;
    event.currentTarget.replaceWith(themeButton());
    document.getElementById("theme").focus();
  };
  return make("button", { id: "theme", type: "button", class: "plain", "aria-label": label, title: label, on: { click } }, icon(now));
}
