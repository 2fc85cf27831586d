// @ts-check
/** @file The page's words, as the server put them into `#texts`, and numbers in the reader's language. */

/** @type {Record<string, string>} */
const texts = JSON.parse(document.getElementById('texts')?.textContent ?? '{}');

/** BCP 47 tag of the page's language. */
export const language = document.documentElement.lang || 'id';

/**
 * The text of `key`, with `{name}` places filled in. An unknown key shows itself, so that it is seen.
 * @param {string} key
 * @param {Record<string, string | number>} [values]
 */
export function t(key, values = {}) {
  const text = texts[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
}

/**
 * Bytes as a person reads them on a prepaid plan: decimal megabytes.
 * @param {number} bytes
 */
export function megabytes(bytes) {
  const amount = bytes / 1e6;
  const digits = amount < 10 ? 1 : 0;
  const number = new Intl.NumberFormat(language, { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return `${number.format(amount)} MB`;
}

/**
 * A length of time as a clock shows it: 4:05, 1:02:09.
 * @param {number} seconds
 */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (/** @type {number} */ n) => String(n).padStart(2, '0');
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/**
 * The time of day at which something was said.
 * @param {string} at RFC 3339
 */
export function timeOfDay(at) {
  return new Intl.DateTimeFormat(language, { hour: '2-digit', minute: '2-digit' }).format(new Date(at));
}
