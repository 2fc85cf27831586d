// @ts-check
/** @file Finding the page's elements, with their types. */

/**
 * The element with this id; throws when the template does not have it.
 * @template {Element} T
 * @param {string} id
 * @param {new (...args: any[]) => T} type
 * @returns {T}
 */
export function byId(id, type) {
  const found = document.getElementById(id);
  if (!(found instanceof type)) throw new Error(`missing #${id}`);
  return found;
}

/** @param {string} id */
export const box = (id) => byId(id, HTMLElement);

/**
 * The control that carries `data-action="name"`.
 * @param {string} name
 */
export function action(name) {
  const found = document.querySelector(`[data-action="${name}"]`);
  if (!(found instanceof HTMLButtonElement)) throw new Error(`missing action ${name}`);
  return found;
}

/**
 * Writes only what changed, so that live regions speak once.
 * @param {Element} element
 * @param {string} text
 */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Shows one of the icons of the template's symbol sheet.
 * @param {Element} element holds an `<svg><use>`
 * @param {string} name
 */
export function setIcon(element, name) {
  const use = element.querySelector('use');
  if (use?.getAttribute('href') !== `#i-${name}`) use?.setAttribute('href', `#i-${name}`);
}

/**
 * Writes an attribute only when it changes: the page is shown anew several times a second.
 * @param {Element} element
 * @param {string} name
 * @param {string} value
 */
export function set(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}
