// What the first bytes of a file say of its image, where a browser would not: size before anything is decoded, bits of
// a PNG, and the orientation of a WebP, which browsers do not obey.

const ORIENTATION_TAG = 0x0112;

export const readHeader = (bytes) => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    if (says(bytes, 1, "PNG") && view.getUint8(0) === 0x89) return ofPng(view);
    if (says(bytes, 0, "GIF8")) return { width: view.getUint16(6, true), height: view.getUint16(8, true) };
    if (says(bytes, 0, "RIFF") && says(bytes, 8, "WEBP")) return ofWebp(bytes, view);
    if (view.getUint16(0) === 0xffd8) return ofJpeg(view);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error; // cut off: the decoder will say so
  }
  return {};
};

const says = (bytes, at, text) => [...text].every((letter, i) => bytes[at + i] === letter.charCodeAt(0));

const ofPng = (view) => ({
  width: view.getUint32(16),
  height: view.getUint32(20),
  bits: view.getUint8(24),
  isGrey: (view.getUint8(25) & 2) === 0,
});

const ofJpeg = (view) => {
  for (let at = 2; ; ) {
    const marker = view.getUint16(at);
    if (marker === 0xffff) at += 1; // padding
    else if (marker >= 0xffc0 && marker <= 0xffcf && ![0xffc4, 0xffc8, 0xffcc].includes(marker))
      return { height: view.getUint16(at + 5), width: view.getUint16(at + 7) };
    else if (marker < 0xff00 || marker === 0xffda) return {};
    else at += 2 + view.getUint16(at + 2);
  }
};

const ofWebp = (bytes, view) => {
  const header = {};
  for (let at = 12; at + 8 <= view.byteLength; ) {
    const length = view.getUint32(at + 4, true);
    if (says(bytes, at, "VP8X"))
      Object.assign(header, { width: 1 + uint24(view, at + 12), height: 1 + uint24(view, at + 15) });
    if (says(bytes, at, "EXIF")) {
      const start = at + 8 + (says(bytes, at + 8, "Exif\0\0") ? 6 : 0);
      Object.assign(header, { exifAt: at, orientation: orientationOf(view, start) });
    }
    at += 8 + length + (length % 2);
  }
  return header;
};

const uint24 = (view, at) => view.getUint16(at, true) + (view.getUint8(at + 2) << 16);

const orientationOf = (view, start) => {
  const little = view.getUint16(start) === 0x4949;
  const entries = start + view.getUint32(start + 4, little);
  for (let i = 0; i < view.getUint16(entries, little); i++) {
    const at = entries + 2 + 12 * i;
    if (view.getUint16(at, little) === ORIENTATION_TAG) return view.getUint16(at + 8, little);
  }
  return 1;
};
