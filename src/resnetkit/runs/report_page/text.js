/** Names and numbers as people may see them. */

// What changes the direction of writing, ends a line, is not seen, or stands for a byte that is no UTF-8.
const UNSEEN = /[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]/g;
const PAIRS = /[\ud800-\udbff][\udc00-\udfff]/g;

const escaped = (sign) => {
  const code = sign.charCodeAt(0);
  return code < 256 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`;
};

/** A text on one line, with everything in it to be seen. */
function seen(text) {
  const parts = text.split(PAIRS).map((part) => part.replace(UNSEEN, escaped));
  const pairs = text.match(PAIRS) ?? [];
  return parts.map((part, i) => part + (pairs[i] ?? "")).join("");
}

const MOST_LETTERS = 16;
const short = (name) => (name.length > MOST_LETTERS ? `${name.slice(0, MOST_LETTERS - 1)}…` : name);

const count = (number) => number.toLocaleString("en");

/** A share in percent, never rounded to certainty or to nothing; without the sign. */
function percentDigits(share, digits) {
  const least = 10 ** -digits;
  const text = (100 * share).toFixed(digits);
  if (share > 0 && Number(text) === 0) return `<\u00a0${least.toFixed(digits)}`;
  return share < 1 && Number(text) >= 100 ? `>\u00a0${(100 - least).toFixed(digits)}` : text;
}

const percent = (share, digits = 1) => `${percentDigits(share, digits)}\u00a0%`;
const images = (number) => `${count(number)} ${number === 1 ? "image" : "images"}`;
