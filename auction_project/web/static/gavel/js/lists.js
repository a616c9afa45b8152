// What lists and forms share: the table, the pager, an empty list, and a failed request's sentence in its place.

import { h, note } from "./dom.js";
import { Problem } from "./errors.js";
import { explain } from "./refusals.js";

/** @import {Page} from "./bodies.d.ts" */
/** @import {Child} from "./dom.js" */

/**
 * A table that turns into a stack of cards on a phone: there a cell shows its `data-label` instead of its column's head.
 * @param {string} caption
 * @param {string[]} heads
 * @param {HTMLTableRowElement[]} rows
 */
export function table(caption, heads, rows) {
  return h(
    "table",
    { class: "stacked" },
    h("caption", { class: "visually-hidden" }, caption),
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        heads.map((head) => (head ? h("th", { scope: "col" }, head) : h("td"))),
      ),
    ),
    h("tbody", {}, rows),
  );
}

/**
 * Show in `container` a list that was loaded: its table, or `none` when it has no rows.
 * @param {HTMLElement} container
 * @param {{caption: string, heads: string[], rows: HTMLTableRowElement[], none: HTMLElement}} list
 */
export function showTable(container, { caption, heads, rows, none }) {
  container.removeAttribute("aria-busy");
  container.replaceChildren(rows.length ? table(caption, heads, rows) : none);
}

/** The cell of a picture, empty without one. @param {string} source */
export const pictureCell = (source) =>
  h(
    "td",
    { class: "picture" },
    source ? h("img", { class: "thumb", src: source, alt: "", width: 56, height: 56, loading: "lazy" }) : null,
  );

/**
 * Buttons for the pages of a list; `go(page)` loads one.
 * @param {HTMLElement} element
 * @param {Pick<Page<unknown>, "page" | "pages">} list
 * @param {(page: number) => void} go
 */
export function showPager(element, { page, pages }, go) {
  element.hidden = pages <= 1;
  if (pages <= 1) {
    element.replaceChildren();
    return;
  }
  /** @param {string} label @param {number} target */
  const button = (label, target) =>
    h(
      "button",
      {
        class: "button quiet small",
        type: "button",
        disabled: target < 1 || target > pages,
        onclick: () => go(target),
      },
      label,
    );
  element.replaceChildren(
    button("Previous", page - 1),
    h("span", { class: "figure" }, `Page ${page} of ${pages}`),
    button("Next", page + 1),
  );
}

/**
 * @param {string} title
 * @param {...Child} content
 */
export function empty(title, ...content) {
  return h("div", { class: "empty" }, h("h2", {}, title), ...content);
}

/**
 * Say in `element` what went wrong; with `retry`, offer a button. Without an error the element is cleared.
 * @param {HTMLElement} element
 * @param {unknown} error
 * @param {{retry?: (() => void) | null, currency?: string}} [options]
 */
export function showProblem(element, error, { retry, currency } = {}) {
  if (!error) {
    element.replaceChildren();
    return;
  }
  const { title, text, rule } = explain(error, currency);
  const again =
    retry &&
    h("p", {}, h("button", { class: "button quiet small", type: "button", onclick: () => retry() }, "Try again"));
  element.replaceChildren(note("bad", title, text, rule && ruleLine(rule), again));
}

/** @param {string} rule */
export function ruleLine(rule) {
  return h("p", { class: "small muted" }, "Error code: ", h("code", {}, rule));
}

/** @param {HTMLFormElement} form */
export function clearFieldErrors(form) {
  for (const line of form.querySelectorAll(".field-error")) line.textContent = "";
  for (const input of form.querySelectorAll("[aria-invalid]")) input.removeAttribute("aria-invalid");
}

/**
 * Say at each field that must be filled in and is not that it is required; true when there is one. Other fields are cleared.
 * @param {HTMLFormElement} form
 */
export function showMissing(form) {
  clearFieldErrors(form);
  /** @type {NodeListOf<HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement>} */
  const required = form.querySelectorAll("[required]");
  const missing = [...required].filter((input) => !input.value.trim());
  for (const input of missing) mark(form, input.name, `${input.labels?.[0]?.textContent?.trim()} is required.`);
  missing[0]?.focus();
  return missing.length > 0;
}

/**
 * Show a refusal at the field that it names; true when there is one.
 * @param {HTMLFormElement} form
 * @param {unknown} error
 * @param {string} [currency] That of the form's amounts.
 */
export function showFieldError(form, error, currency) {
  clearFieldErrors(form);
  if (!(error instanceof Problem) || !error.field) return false;
  const input = mark(form, error.field, explain(error, currency).text);
  if (input instanceof HTMLElement) input.focus();
  return input !== null;
}

/**
 * Write below a field what is wrong with it. The field, or null when the form has none of that name. Ids are the names up to
 * their first ".".
 * @param {HTMLFormElement} form
 * @param {string} field
 * @param {string} text
 */
function mark(form, field, text) {
  const name = field.split(".")[0] ?? "";
  const input = form.elements.namedItem(field) ?? form.elements.namedItem(name);
  const line = document.getElementById(`${name}-error`);
  if (!input || !line) return null;
  line.textContent = text;
  if (input instanceof HTMLElement) input.setAttribute("aria-invalid", "true");
  return input;
}
