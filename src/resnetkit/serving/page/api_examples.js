/** Requests that show what the server can be asked; each can be sent from the page. */

import { served } from "./served.js";
import { address } from "./server.js";

const JSON_HEADERS = { "Content-Type": "application/json" };

function base64(buffer) {
  let text = "";
  for (const byte of new Uint8Array(buffer)) text += String.fromCharCode(byte);
  return btoa(text);
}

/** A small picture to ask with, where none has been given: a sun over a hill. */
export async function drawnImage() {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 96;
  const pen = canvas.getContext("2d");
  const fill = (colour, draw) => {
    pen.fillStyle = colour;
    pen.beginPath();
    draw();
    pen.fill();
  };
  fill("#9cc9ee", () => pen.rect(0, 0, 96, 96));
  fill("#f6c945", () => pen.arc(66, 30, 14, 0, 7));
  fill("#4b8f4f", () => pen.ellipse(40, 100, 80, 44, 0, 0, 7));
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  return new File([blob], "drawn.png", { type: "image/png" });
}

/** The examples for an image. `text` is the body as it is shown; `body()` is what is sent. */
export function examples(image, details) {
  const { chosen: model } = served;
  const name = encodeURIComponent(model);
  const raw = { method: "POST", headers: { "Content-Type": image.type || "application/octet-stream" }, file: image.name, body: async () => image };
  const json = (make) => ({
    method: "POST",
    headers: JSON_HEADERS,
    text: JSON.stringify(make("…")).replace("…", "<base64>"),
    body: async () => JSON.stringify(make(base64(await image.arrayBuffer()))),
  });
  const infer = (data) => ({
    inputs: [{ name: "image", shape: [1], datatype: "BYTES", data: [data] }],
    outputs: [{ name: "class" }, { name: "probabilities" }],
  });
  return [
    { key: "predict", path: "predict", query: { model, top: 5 }, ...raw },
    { key: "predict_json", path: "predict", query: {}, ...json((data) => ({ model, top: 2, images: [{ name: image.name, data }] })) },
    { key: "explain", path: "explain", query: { model, method: details.methods[0] }, ...raw },
    { key: "model", path: `v2/models/${name}`, method: "GET" },
    { key: "infer", path: `v2/models/${name}/infer`, ...json(infer) },
    { key: "ready", path: "v2/health/ready", method: "GET" },
    { key: "metrics", path: "metrics", method: "GET" },
  ].map((example) => ({ ...example, url: address(example.path, example.query) }));
}
