// From a file to the pixels that the classifier was made with: upright, transparency laid on white, colour profiles
// ignored. In Chromium they are the same to the last bit as those of Pillow.

import { readHeader } from "./headers.js";

const TILE_PX = 2048; // canvases have limits, and beyond them are silently blank
const AS_STORED = { imageOrientation: "from-image", colorSpaceConversion: "none", premultiplyAlpha: "none" };
const DARK_UPPER_HALF = 16; // 12 bits or fewer stored in 16

// EXIF orientations as a canvas transform, for a width and height as they are stored.
const UPRIGHT = {
  2: (w, h) => [-1, 0, 0, 1, w, 0],
  3: (w, h) => [-1, 0, 0, -1, w, h],
  4: (w, h) => [1, 0, 0, -1, 0, h],
  5: (w, h) => [0, 1, 1, 0, 0, 0],
  6: (w, h) => [0, 1, -1, 0, h, 0],
  7: (w, h) => [0, -1, -1, 0, h, w],
  8: (w, h) => [0, -1, 1, 0, 0, w],
};

// An error that is told in words: `code` names them, `values` stand in them.
export class Refused extends Error {
  constructor(code, values = {}) {
    super(code);
    Object.assign(this, { code, values });
  }
}

// `source` is a file or an ImageBitmap (of a camera); `wanted` the part of classifier.json on preprocessing and limits.
export const decode = async (source, wanted) => {
  if (source instanceof ImageBitmap) return pixelsOf(source, 1, wanted.channels);
  if (source.size > wanted.maxFileBytes) throw new Refused("largeFile", { limit: wanted.maxFileBytes });
  const bytes = new Uint8Array(await source.arrayBuffer());
  const header = readHeader(bytes);
  check(header, wanted);
  const orientation = header.orientation in UPRIGHT ? header.orientation : 1;
  if (header.exifAt) bytes.set([0x20, 0x20, 0x20, 0x20], header.exifAt); // so that no browser turns it too
  let bitmap;
  try {
    bitmap = await createImageBitmap(new Blob([bytes], { type: source.type }), AS_STORED);
  } catch {
    throw new Refused(bytes.length ? "unreadable" : "empty");
  }
  check(bitmap, wanted);
  const image = pixelsOf(bitmap, orientation, wanted.channels);
  if (header.bits === 16 && !header.isGrey && image.pixels.every((value) => value < DARK_UPPER_HALF))
    throw new Refused("darkDeepColour");
  return image;
};

const check = ({ width = 1, height = 1, bits = 8, isGrey = false }, wanted) => {
  if (width * height > wanted.maxPixels) throw new Refused("manyPixels", { width, height, limit: wanted.maxPixels });
  if (bits === 16 && isGrey && wanted.white16bit !== 0xffff) throw new Refused("deepGrey");
};

// uint8 (height, width, channels), read tile by tile.
const pixelsOf = (bitmap, orientation, channels) => {
  const turns = orientation >= 5;
  const [width, height] = turns ? [bitmap.height, bitmap.width] : [bitmap.width, bitmap.height];
  const upright = UPRIGHT[orientation]?.(bitmap.width, bitmap.height) ?? [1, 0, 0, 1, 0, 0];
  const pixels = new Uint8Array(width * height * channels);
  const canvas = new OffscreenCanvas(Math.min(width, TILE_PX), Math.min(height, TILE_PX));
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingEnabled = false;
  context.fillStyle = "#fff";
  for (let top = 0; top < height; top += TILE_PX)
    for (let left = 0; left < width; left += TILE_PX) {
      const [across, down] = [Math.min(TILE_PX, width - left), Math.min(TILE_PX, height - top)];
      context.setTransform(1, 0, 0, 1, 0, 0);
      context.fillRect(0, 0, across, down);
      context.setTransform(1, 0, 0, 1, -left, -top);
      context.transform(...upright);
      context.drawImage(bitmap, 0, 0);
      const rgba = context.getImageData(0, 0, across, down).data;
      for (let y = 0; y < down; y++) {
        const start = ((top + y) * width + left) * channels;
        (channels === 1 ? copyGrey : copyColours)(rgba, 4 * y * across, across, pixels, start);
      }
    }
  bitmap.close();
  return { pixels, width, height };
};

const copyColours = (rgba, from, count, pixels, to) => {
  for (let i = 0; i < count; i++, from += 4, to += 3) {
    pixels[to] = rgba[from];
    pixels[to + 1] = rgba[from + 1];
    pixels[to + 2] = rgba[from + 2];
  }
};

// ITU-R 601-2 luma in Pillow's fixed point.
const copyGrey = (rgba, from, count, pixels, to) => {
  for (let i = 0; i < count; i++, from += 4)
    pixels[to + i] = (19595 * rgba[from] + 38470 * rgba[from + 1] + 7471 * rgba[from + 2] + 0x8000) >> 16;
};
