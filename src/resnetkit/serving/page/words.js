/** Text in the reader's language, and numbers as that language writes them. */

import { choose } from "./stored.js";
import en from "./en.js";
import zh from "./zh.js";

const LANGUAGES = { en: { strings: en, tag: "en" }, zh: { strings: zh, tag: "zh-Hans" } };

export const language = () => (document.documentElement.lang.startsWith("zh") ? "zh" : "en");

export function setLanguage(name) {
  document.documentElement.lang = LANGUAGES[name].tag;
  choose("language", name);
}

/** The text of a key, with {name} replaced by values; of two forms, the one for the number `n`. */
export function t(key, values = {}) {
  const { strings, tag } = LANGUAGES[language()];
  const found = strings[key];
  const text = typeof found === "object" ? found[new Intl.PluralRules(tag).select(values.n)] ?? found.other : found;
  if (text === undefined) throw new Error(`no text for ${key}`);
  return text.replace(/\{(\w+)\}/g, (_, name) => {
    const value = values[name];
    return typeof value === "number" ? count(value) : String(value);
  });
}

/** Does a text exist? For names that a server gives and that may be new to this page. */
export const isTold = (key) => key in en;

export const count = (number) => new Intl.NumberFormat(LANGUAGES[language()].tag).format(number);

/** A large number by its first digits, as the language counts: 11.2 million, 1120万. */
export const short = (number) =>
  number &&
  new Intl.NumberFormat(LANGUAGES[language()].tag, {
    notation: "compact",
    compactDisplay: "long",
    maximumSignificantDigits: 3,
  }).format(number);

/** A share in [0, 1] as percent, never rounded to certainty or to nothing; without the sign, as in intervals. */
export function percentDigits(share, digits = 1) {
  const least = 10 ** -digits;
  const text = (100 * share).toFixed(digits);
  if (share > 0 && Number(text) === 0) return `<\u2009${least.toFixed(digits)}`;
  return share < 1 && Number(text) >= 100 ? `>\u2009${(100 - least).toFixed(digits)}` : text;
}

export const percent = (share, digits) => `${percentDigits(share, digits)}\u00a0%`;

/** A share in [0, 1] that was set as percent, with all the digits that it was set with: 5 %, 99.95 %. */
export const setPercent = (share) => `${Number((100 * share).toPrecision(12))}\u00a0%`;

/** A number of bytes, short. */
export function bytes(number) {
  const units = ["B", "kB", "MB", "GB"];
  let power = 0;
  while (number >= 1000 && power < units.length - 1) {
    number /= 1000;
    power += 1;
  }
  return `${number < 10 && power ? number.toFixed(1) : Math.round(number)}\u00a0${units[power]}`;
}
