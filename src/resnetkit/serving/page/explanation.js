/** Why an image got its answer: a map over it, of a class, against another, by a method. */

import { contentType } from "./asking.js";
import { announce, make, newId, show } from "./dom.js";
import { failureNote } from "./failure.js";
import { layMap, setOpacity, takeMapAway } from "./picture.js";
import { askJson } from "./server.js";
import { percent, t } from "./words.js";

const TITLES = {
  grad_cam: "Grad-CAM",
  layer_cam: "LayerCAM",
  grad_cam_plus_plus: "Grad-CAM++",
  gradient: "Gradient",
  smooth_grad: "SmoothGrad",
  integrated_gradients: "Integrated gradients",
  occlusion: "Occlusion",
  rise: "RISE",
};
const OPACITY = 0.85;

export const explainQuery = (one, { method, class: name, against }) => ({ model: one.model, method, class: name, against });

function chooser(label, options, selected, change) {
  const id = newId("chooser");
  const option = ([value, text]) => make("option", { value, selected: value === selected }, text);
  const select = make("select", { id, on: { change: () => change(select.value) } }, options.map(option));
  return make("div", { class: "field" }, make("label", { for: id }, label), select);
}

/** The panel of an answered image, which draws on its picture. What was asked last is kept with the image. */
export function explanationPanel(one, picture, details) {
  const classNames = details.description.class_names;
  one.explanation ??= {
    asked: { method: details.methods[0], class: one.row.top[0].class, against: "" },
    opacity: OPACITY,
    given: null,
    failure: null,
  };
  const state = one.explanation;
  const told = make("div", { class: "told" });
  let abort = null;

  const slider = make("input", {
    id: newId("opacity"), type: "range", min: 0, max: 100, value: Math.round(100 * state.opacity),
    on: {
      input: () => {
        state.opacity = Number(slider.value) / 100;
        setOpacity(picture, state.opacity);
      },
    },
  });

  function tell() {
    if (state.failure) return show(told, failureNote(state.failure, explain));
    if (!state.given) return show(told, make("p", { class: "quiet busy" }, t("explain.busy")));
    const { class: name, probability, words } = state.given;
    layMap(picture, state.given, state.opacity);
    const question = state.asked.against
      ? t("explain.question.against", { name, share: percent(probability), against: state.asked.against })
      : t("explain.question", { name, share: percent(probability) });
    return show(told, make("p", { class: "question" }, question), words.map((word) => make("p", { class: "quiet", lang: "en" }, word)));
  }

  async function explain() {
    abort?.abort();
    abort = new AbortController();
    const { signal } = abort;
    Object.assign(state, { given: null, failure: null });
    tell();
    try {
      const given = await askJson("explain", {
        method: "POST",
        query: explainQuery(one, state.asked),
        body: one.file,
        headers: { "Content-Type": contentType(one.file) },
        signal,
      });
      if (signal.aborted) return;
      state.given = given;
      announce(t("explain.done", { name: given.class }));
    } catch (failure) {
      if (signal.aborted) return;
      state.failure = failure;
      takeMapAway(picture);
    }
    tell();
  }

  const asks = (name) => (value) => {
    state.asked[name] = value;
    explain();
  };
  const named = classNames.map((name) => [name, name]);
  const panel = make(
    "section",
    { class: "explanation", "aria-label": t("explain.label", { name: one.name }) },
    make(
      "div",
      { class: "fields" },
      chooser(t("explain.class"), named, state.asked.class, asks("class")),
      chooser(t("explain.against"), [["", t("explain.against.none")], ...named], state.asked.against, asks("against")),
      chooser(
        t("explain.method"),
        details.methods.map((name) => [name, TITLES[name] ?? name]),
        state.asked.method,
        asks("method"),
      ),
      make("div", { class: "field" }, make("label", { for: slider.id }, t("explain.opacity")), slider),
    ),
    told,
  );
  if (state.given) tell();
  else explain();
  return panel;
}
