// Building and finding elements. Text is always text: nothing here reads HTML.

/** @import {Mood} from "./bodies.d.ts" */
/** @typedef {Node | string | null | undefined | false} Child Null, undefined and false are left out. */
/** @typedef {{[name: string]: unknown, dataset?: {[name: string]: string | number}}} Attributes */

/**
 * The element of the page with this id, which the page's template promises. Throws TypeError when it is missing or is no `type`.
 * @template {HTMLElement} [T=HTMLElement]
 * @param {string} id
 * @param {new () => T} [type]
 * @returns {T}
 */
export function byId(id, type) {
  const element = document.getElementById(id);
  if (element instanceof (type ?? HTMLElement)) return /** @type {T} */ (element);
  throw new TypeError(`The page has no ${type?.name ?? "element"} #${id}.`);
}

/**
 * The control of a form with this name. Throws TypeError when it is missing or is no `type`.
 * @template {HTMLElement} [T=HTMLInputElement]
 * @param {HTMLFormElement} form
 * @param {string} name
 * @param {new () => T} [type]
 * @returns {T}
 */
export function control(form, name, type) {
  const element = form.elements.namedItem(name);
  if (element instanceof (type ?? HTMLInputElement)) return /** @type {T} */ (element);
  throw new TypeError(`The form has no ${type?.name ?? "input"} "${name}".`);
}

/**
 * An element: h("a", {href: "/", class: "x", onclick: f, dataset: {…}}, "text", child, …).
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Attributes} [attributes]
 * @param {...(Child | Child[])} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  fill(element, attributes);
  element.append(...present(children));
  return element;
}

const SVG = "http://www.w3.org/2000/svg";

/**
 * An element of an SVG, as h() makes one of HTML.
 * @template {keyof SVGElementTagNameMap} K
 * @param {K} tag
 * @param {Attributes} [attributes]
 * @param {...(Child | Child[])} children
 * @returns {SVGElementTagNameMap[K]}
 */
export function s(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  fill(element, attributes);
  element.append(...present(children));
  return element;
}

/** @param {(Child | Child[])[]} children @returns {(Node | string)[]} */
const present = (children) =>
  children.flat().filter((child) => child !== null && child !== undefined && child !== false);

/**
 * @param {HTMLElement | SVGElement} element
 * @param {Attributes} attributes
 */
function fill(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), /** @type {EventListener} */ (value));
    else if (name === "dataset") Object.assign(element.dataset, value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
}

/**
 * Set the text only where it differs, so that nothing is announced or repainted in vain. Whether it differed.
 * @param {Element} element
 * @param {string} text
 */
export function setText(element, text) {
  if (element.textContent === text) return false;
  element.textContent = text;
  return true;
}

/**
 * @param {string} text
 * @param {Mood} [mood]
 */
export const chip = (text, mood = "") => h("span", { class: `chip ${mood}`.trim() }, text);

/**
 * A note with a title. Strings become paragraphs, empty ones nothing.
 * @param {Mood} mood
 * @param {string} title
 * @param {...Child} content
 */
export function note(mood, title, ...content) {
  return h(
    "div",
    { class: `note ${mood}` },
    h("strong", {}, title),
    ...content.map((part) => (part && typeof part === "string" ? h("p", {}, part) : part || null)),
  );
}

/** Let an element blink once because it has changed. @param {HTMLElement} element */
export function flash(element) {
  element.classList.remove("changed");
  requestAnimationFrame(() => element.classList.add("changed"));
}

/** What the template put into the page as JSON. @param {string} id */
export const readJson = (id) => JSON.parse(byId(id, HTMLScriptElement).textContent ?? "null");
