// @ts-check
/** @file The words of this page, as the server put them into `#texts`. */

/** @type {Record<string, string>} */
const texts = JSON.parse(document.getElementById('texts')?.textContent ?? '{}');

/**
 * The text of `key`, with `{name}` places filled in.
 * @param {string} key
 * @param {Record<string, string | number>} [values]
 */
export function t(key, values = {}) {
  return (texts[key] ?? key).replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
}

/**
 * An element that the page has for sure when its button is there.
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} kind
 */
export function the(id, kind) {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`no ${id}`);
  return found;
}

/**
 * Why a device was not given, by the error's name (Media Capture and Streams, 10.2).
 * @param {unknown} error
 */
export function refusal(error) {
  const name = error instanceof Error ? error.name : '';
  if (name === 'NotAllowedError' || name === 'SecurityError') return t('prepare.refused_denied');
  if (name === 'NotFoundError' || name === 'OverconstrainedError') return t('prepare.refused_none');
  if (name === 'NotReadableError' || name === 'AbortError') return t('prepare.refused_busy');
  return t('prepare.refused_failed');
}
