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

/** @param {Problem} problem */
const isBlank = (problem) => problem.body.detail?.includes("may not be blank");

/** @param {Element | RadioNodeList} input */
const labelOf = (input) =>
  ("labels" in input && input.labels instanceof NodeList && input.labels[0]?.textContent?.trim()) || "This field";

/**
 * Show a refusal at the field that it names; true when there is one. Ids are the names up to their first ".". Without a refusal
 * the fields are cleared.
 * @param {HTMLFormElement} form
 * @param {unknown} error
 */
export function showFieldError(form, error) {
  for (const line of form.querySelectorAll(".field-error")) line.textContent = "";
  for (const input of form.querySelectorAll("[aria-invalid]")) input.removeAttribute("aria-invalid");
  if (!(error instanceof Problem) || !error.field) return false;
  const name = error.field.split(".")[0] ?? "";
  const input = form.elements.namedItem(error.field) ?? form.elements.namedItem(name);
  const line = document.getElementById(`${name}-error`);
  if (!input || !line) return false;
  line.textContent = isBlank(error) ? `${labelOf(input)} is required.` : explain(error).text;
  if (input instanceof HTMLElement) {
    input.setAttribute("aria-invalid", "true");
    input.focus();
  }
  return true;
}
