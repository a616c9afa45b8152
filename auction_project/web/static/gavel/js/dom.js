// Building elements. Text is always text: nothing here reads HTML.

export const byId = (id) => document.getElementById(id);

/** An element: h("a", {href: "/", class: "x", onclick: f, dataset: {…}}, "text", child, …). */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  fill(element, attributes);
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const SVG = "http://www.w3.org/2000/svg";

export function s(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  fill(element, attributes);
  element.append(...children.flat());
  return element;
}

function fill(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "dataset") Object.assign(element.dataset, value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
}

/** Set the text only where it differs, so that nothing is announced or repainted for nothing. */
export function setText(element, text) {
  if (element.textContent === text) return false;
  element.textContent = text;
  return true;
}

export function chip(text, kind = "") {
  return h("span", { class: `chip ${kind}`.trim() }, text);
}

export function note(kind, title, ...content) {
  return h("div", { class: `note ${kind}` }, h("strong", {}, title), ...content.map((part) => (typeof part === "string" ? h("p", {}, part) : part)));
}

/** Let an element blink once because it has changed. */
export function flash(element) {
  element.classList.remove("changed");
  requestAnimationFrame(() => element.classList.add("changed"));
}

export function readJson(id) {
  return JSON.parse(byId(id).textContent);
}
