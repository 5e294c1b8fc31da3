/** A picture from the camera. */

import { make } from "./dom.js";
import { failureNote } from "./failure.js";
import { icon } from "./icons.js";
import { t } from "./words.js";

let numTaken = 0;

/** A button that opens the camera; each picture is given to `take`. */
export const cameraButton = (take) =>
  make("button", { type: "button", on: { click: () => openCamera(take) } }, icon("camera"), t("camera.open"));

async function openCamera(take) {
  const video = make("video", { autoplay: true, playsinline: true, "aria-label": t("camera.live") });
  video.muted = true;
  const shoot = make("button", { type: "button", class: "primary", disabled: true }, icon("camera"), t("camera.take"));
  const close = make("button", { type: "button" }, t("close"));
  const place = make("div", { class: "viewfinder" }, video);
  const dialog = make(
    "dialog",
    { "aria-labelledby": "camera-title", class: "camera" },
    make("h2", { id: "camera-title" }, t("camera.title")),
    place,
    make("div", { class: "actions" }, shoot, close),
  );
  let stream = null;
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => {
    stream?.getTracks().forEach((track) => track.stop());
    dialog.remove();
  });
  shoot.addEventListener("click", async () => {
    const file = await picture(video);
    dialog.close();
    take([{ file, name: file.name }]);
  });
  document.body.append(dialog);
  dialog.showModal();
  try {
    if (!navigator.mediaDevices) throw new DOMException("", "SecurityError");
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment", width: { ideal: 1280 } } });
  } catch (error) {
    place.replaceChildren(failureNote(reason(error)));
    return;
  }
  if (!dialog.isConnected) return stream.getTracks().forEach((track) => track.stop());
  video.srcObject = stream;
  await video.play();
  shoot.disabled = false;
  shoot.focus();
}

function reason(error) {
  const key = { NotAllowedError: "refused", NotFoundError: "none", SecurityError: "insecure" }[error.name] ?? "other";
  return { status: 0, what: t("camera.failed"), why: t(`camera.${key}`, { error: error.message }), fix: t("camera.fix") };
}

function picture(video) {
  const canvas = make("canvas", { width: video.videoWidth, height: video.videoHeight });
  canvas.getContext("2d").drawImage(video, 0, 0);
  return new Promise((resolve) =>
    canvas.toBlob((blob) => resolve(new File([blob], `camera-${(numTaken += 1)}.jpg`, { type: "image/jpeg" })), "image/jpeg", 0.92),
  );
}
