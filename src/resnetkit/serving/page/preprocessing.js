/** What becomes of an image before a network sees it, in words. */

import { percent, t } from "./words.js";

const numbers = (values) => values.map((value) => Number(value.toPrecision(4))).join(", ");

/** Steps in their order. */
export function preprocessingWords(given) {
  const { image_size_px: size, resize_px: resized, fit, channels, interpolation } = given;
  const method = t(`images.${interpolation}`);
  const steps = [t("images.upright", { colours: t(channels === 1 ? "images.grey" : "images.colour") })];
  if (given.jpeg_scaling === "reduced") steps.push(t("images.reduced"));
  steps.push(t(`images.${fit}`, { size: String(size), resized: String(resized), method }));
  if (given.channel_order === "bgr") steps.push(t("images.bgr"));
  steps.push(t("images.normalized", { mean: numbers(given.mean), std: numbers(given.std) }));
  if (given.average_mirrored) steps.push(t("images.mirrored"));
  return steps;
}

/** The part of a photograph's shorter side that is looked at, where its centre is cut out. */
export const croppedShare = ({ fit, image_size_px: size, resize_px: resized }) =>
  fit === "crop" && size < resized ? percent(size / resized, 0) : null;
