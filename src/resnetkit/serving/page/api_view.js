/** API: requests with what the server answers to them, sent from the page. */

import { drawnImage, examples } from "./api_examples.js";
import { tried } from "./asking.js";
import { codeBlock } from "./copying.js";
import { announce, make, newId, show } from "./dom.js";
import { failureNote } from "./failure.js";
import { icon } from "./icons.js";
import { address, askOnce } from "./server.js";
import { curl, python } from "./snippets.js";
import { bytes, t } from "./words.js";

const LONGEST_STRING = 120;
const LONGEST_TEXT = 6000;

/** JSON with long strings, such as images in base64, cut short. */
function readable(text, type) {
  if (!type.includes("json")) return text.length > LONGEST_TEXT ? `${text.slice(0, LONGEST_TEXT)}\n…` : text;
  const short = (_, value) => (typeof value === "string" && value.length > LONGEST_STRING ? `${value.slice(0, LONGEST_STRING)}…` : value);
  return JSON.stringify(JSON.parse(text), short, 2);
}

function exampleCard(example) {
  const id = newId("example");
  const answer = make("div", { class: "answered", "aria-live": "polite" });
  const run = make("button", { type: "button", "aria-describedby": id }, icon("play"), t("api.run"));
  run.addEventListener("click", async () => {
    run.disabled = true;
    show(answer, make("p", { class: "quiet busy" }, t("api.running")));
    try {
      const began = performance.now();
      const body = await example.body?.();
      const response = await askOnce(example.path, { method: example.method, query: example.query, headers: example.headers, body });
      const text = await response.text();
      const words = t("api.answer", { status: `${response.status} ${response.statusText}`.trim(), ms: Math.round(performance.now() - began), size: bytes(text.length) });
      const shown = readable(text, response.headers.get("Content-Type") ?? "");
      show(answer, make("p", { class: response.ok ? "quiet" : "wrong" }, words), make("pre", { tabindex: "0", role: "group", "aria-label": words }, shown));
      announce(words);
    } catch (failure) {
      show(answer, failureNote(failure));
    }
    run.disabled = false;
    run.focus({ preventScroll: true });
  });
  return make(
    "section",
    { class: "example" },
    make(
      "div",
      { class: "head" },
      make("h2", { id }, make("span", { class: "method" }, example.method), " ", make("code", {}, `/${example.path}`)),
      run,
    ),
    make("p", { class: "quiet" }, t(`api.${example.key}`)),
    make("details", {}, make("summary", {}, t("api.code")), make("div", { class: "codes" }, codeBlock("curl", curl(example)), example.key === "metrics" ? null : codeBlock("Python", python(example)))),
    answer,
  );
}

export function apiView(root, details) {
  const list = make("div", { class: "examples" });
  const link = (path, words) => make("a", { href: address(path).href }, words);
  show(
    root,
    make("h1", {}, t("api.title")),
    make("p", { class: "lead" }, t("api.lead")),
    make("p", { class: "links" }, link("openapi.json", "openapi.json"), link("metrics", "metrics"), link("v2", "v2"), link("healthz", "healthz")),
    make("p", { class: "quiet" }, t(tried.length ? "api.image.tried" : "api.image.drawn", { name: tried[0]?.name ?? "" })),
    list,
  );
  Promise.resolve(tried[0]?.file ?? drawnImage()).then((image) => show(list, examples(image, details).map(exampleCard)));
}
