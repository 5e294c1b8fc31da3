/** Model: what the classifier is, how good it is known to be, and what it does to images. */

import { codeBlock } from "./copying.js";
import { make, newId, show } from "./dom.js";
import { croppedShare, preprocessingWords } from "./preprocessing.js";
import { scoresPart } from "./scores.js";
import { bytes, count, isTold, percent, setPercent, short, t } from "./words.js";

const FEW_CLASSES = 30;
const CLASSES_SHOWN = 200;

const fact = ([label, value]) => make("div", {}, make("dt", {}, label), make("dd", {}, value));
const facts = (pairs) => make("dl", { class: "facts" }, pairs.filter(([, value]) => value !== null && value !== undefined && value !== "").map(fact));

const part = (title, ...content) => make("section", {}, make("h2", {}, title), content);

function classesPart(names) {
  const list = make("ul", { class: "names" });
  const told = make("p", { class: "quiet", role: "status" });
  const fill = (text) => {
    const found = names.filter((name) => name.toLowerCase().includes(text.toLowerCase()));
    show(list, found.slice(0, CLASSES_SHOWN).map((name) => make("li", {}, name)));
    told.textContent = found.length > CLASSES_SHOWN ? t("model.classes.some", { shown: CLASSES_SHOWN, n: found.length }) : t("model.classes.n", { n: found.length });
  };
  fill("");
  if (names.length <= FEW_CLASSES) return [list];
  const input = make("input", { id: newId("classes"), type: "search", on: { input: () => fill(input.value) } });
  return [make("div", { class: "field" }, make("label", { for: input.id }, t("model.classes.find")), input), told, list];
}

/** Facts under names that the server gives: those this page knows in words, others as they are. */
function toldFacts(prefix, values) {
  const say = (name, value) => {
    if (name.endsWith("_bytes")) return bytes(value);
    if (name.endsWith("_pixels")) return t("limit.pixels", { n: short(value) });
    if (name.endsWith("_seconds")) return t("limit.seconds", { n: value });
    if (typeof value === "number") return Number.isInteger(value) ? count(value) : String(Number(value.toPrecision(4)));
    return String(value);
  };
  const isShort = (value) => ["string", "number", "boolean"].includes(typeof value);
  return facts(
    Object.entries(values ?? {})
      .filter(([, value]) => isShort(value))
      .map(([name, value]) => [isTold(`${prefix}.${name}`) ? t(`${prefix}.${name}`) : name.replaceAll("_", " "), say(name, value)]),
  );
}

const trainingPart = (training) => [
  toldFacts("training", { ...training, command: null }),
  training.command && codeBlock(t("training.command"), training.command),
  training.warnings?.length > 0 && make("ul", { class: "note warnings", lang: "en" }, training.warnings.map((one) => make("li", {}, one))),
];

function networkPart(details, urls) {
  if (!details.network_svg) return [make("p", { class: "quiet" }, t("model.network.none"))];
  // As an image it can run and load nothing, whatever is in it.
  const url = URL.createObjectURL(new Blob([details.network_svg], { type: "image/svg+xml" }));
  urls.push(url);
  const picture = make("img", { class: "network", src: url, alt: t("model.network.alt", { name: details.name }) });
  const link = make("a", { href: url, download: "network.svg" }, t("model.network.save"));
  const region = { class: "scroll drawing", tabindex: "0", role: "region", "aria-label": t("model.network") };
  return [make("div", region, picture), make("p", {}, link)];
}

/** What the thresholds of a classifier make of answers; nothing where it has none. */
function decisionPart({ unknown, sure, sets }) {
  const told = [
    unknown && t("decision.unknown", { share: setPercent(unknown.rate) }),
    sure && t("decision.unsure", { least: percent(sure.least), share: setPercent(sure.precision) }),
    sets && t("decision.sets", { share: setPercent(sets.coverage) }),
  ].filter(Boolean);
  return told.length > 0 && part(t("model.decision"), make("ul", { class: "steps" }, told.map((words) => make("li", {}, words))));
}

export function modelView(root, details) {
  const { description } = details;
  const urls = [];
  const share = croppedShare(description.preprocessing);
  const limits = { ...details.limits, max_pixels: description.limits.max_pixels, max_file_bytes: description.limits.max_file_bytes };
  show(
    root,
    make("p", { class: "eyebrow" }, t("nav.model")),
    make("h1", {}, details.name),
    facts([
      [t("model.network"), details.network ?? description.provenance?.model],
      [t("model.classes"), count(description.class_names.length)],
      [t("model.parameters"), short(details.num_parameters)],
      [t("model.multiply_adds"), short(details.multiply_adds)],
      [t("model.source"), details.source],
      [t("model.version"), make("code", {}, details.version)],
    ]),
    part(t("model.scores"), details.scores ? scoresPart(details.scores) : make("p", { class: "quiet" }, t("model.scores.none"))),
    part(t("model.classes"), classesPart(description.class_names)),
    decisionPart(description.decision),
    part(
      t("model.images"),
      make("ol", { class: "steps" }, preprocessingWords(description.preprocessing).map((step) => make("li", {}, step))),
      share && make("p", { class: "quiet" }, t("images.unseen", { share })),
    ),
    part(t("model.training"), details.training ? trainingPart(details.training) : make("p", { class: "quiet" }, t("model.training.none"))),
    part(t("model.limits"), make("p", { class: "quiet" }, t(description.decision.unknown || description.decision.sure ? "model.limits.files" : "model.limits.lead")), toldFacts("limit", limits)),
    part(t("model.network"), networkPart(details, urls)),
  );
  return () => urls.forEach((url) => URL.revokeObjectURL(url));
}
