// The camera: opened at a click, closed at another; `onPhoto` is given what it sees as an ImageBitmap, `onLive` again
// and again, each time when it has answered the last.

import { words, write } from "./words.js";

const byId = (id) => document.getElementById(id);

export const setUpCamera = ({ onPhoto, onLive }) => {
  const [panel, video, problem, opening, shoot, live] = ["camera", "video", "camera-problem", "open-camera", "shoot", "live"].map(byId);
  let stream = null;
  let turn = 0; // of looking live, so that one that was ended does not go on beside the next

  const setLive = (on) => {
    turn++;
    live.setAttribute("aria-pressed", String(on));
    if (!on) byId("live-answer").replaceChildren();
  };

  const setReady = (ready) => [shoot, live].forEach((button) => (button.disabled = !ready));

  const close = () => {
    setLive(false);
    for (const track of stream?.getTracks() ?? []) track.stop();
    stream = video.srcObject = null;
    panel.hidden = true;
    opening.disabled = false;
  };

  const failed = ({ message }) => {
    close();
    write(problem, "noCamera", { reason: message });
    problem.hidden = false;
  };

  const open = async () => {
    problem.hidden = opening.disabled = true;
    setReady(false);
    try {
      if (!navigator.mediaDevices) throw new Error(words("insecure"));
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment", width: { ideal: 1280 } } });
      video.srcObject = stream;
      panel.hidden = false;
      await video.play();
      setReady(true);
      shoot.focus();
    } catch (error) {
      failed(error);
    }
  };

  const watch = async () => {
    setLive(live.getAttribute("aria-pressed") !== "true");
    const mine = turn;
    const isOn = () => mine === turn && live.getAttribute("aria-pressed") === "true";
    while (isOn()) {
      const show = await onLive(await createImageBitmap(video));
      if (isOn()) byId("live-answer").replaceChildren(...show);
      await new Promise(requestAnimationFrame);
    }
  };

  opening.addEventListener("click", open);
  byId("close-camera").addEventListener("click", () => {
    close();
    opening.focus();
  });
  shoot.addEventListener("click", () => createImageBitmap(video).then(onPhoto, failed));
  live.addEventListener("click", () => {
    const mine = turn + 1;
    watch().catch((error) => mine === turn && failed(error));
  });
};
