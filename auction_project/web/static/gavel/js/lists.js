// What lists share: the pager, an empty list, a problem in the place of a list.

import { h, note } from "./dom.js";
import { explain } from "./words.js";

/** Buttons for the pages of a list; `go(page)` loads one. */
export function showPager(element, { page, pages }, go) {
  element.hidden = pages <= 1;
  if (pages <= 1) {
    element.replaceChildren();
    return;
  }
  const button = (label, target) =>
    h("button", { class: "button quiet small", type: "button", disabled: target < 1 || target > pages, onclick: () => go(target) }, label);
  element.replaceChildren(button("Previous", page - 1), h("span", { class: "figure" }, `Page ${page} of ${pages}`), button("Next", page + 1));
}

export function empty(title, ...content) {
  return h("div", { class: "empty" }, h("h2", {}, title), ...content);
}

/** Say what went wrong in `place`; with `retry`, a button. Without an error the place is cleared. */
export function showProblem(place, error, { retry, currency } = {}) {
  if (!error) {
    place.replaceChildren();
    return;
  }
  const { title, text, rule } = explain(error, currency);
  const again = retry && h("p", {}, h("button", { class: "button quiet small", type: "button", onclick: retry }, "Try again"));
  place.replaceChildren(note("bad", title, text, ...(rule ? [ruleLine(rule)] : []), ...(again ? [again] : [])));
}

export function ruleLine(rule) {
  return h("p", { class: "small muted" }, "Error code: ", h("code", {}, rule));
}

const isBlank = (error) => error.body?.detail?.includes("may not be blank");
const labelOf = (input) => (input.labels?.[0]?.textContent ?? "This field").trim();

/** Show a refusal at the field that it names; true when there is one. Ids are the names with "." as "_". */
export function showFieldError(form, error) {
  for (const line of form.querySelectorAll(".field-error")) line.textContent = "";
  for (const input of form.querySelectorAll("[aria-invalid]")) input.removeAttribute("aria-invalid");
  if (!error?.field) return false;
  const [name] = error.field.split(".");
  const input = form.elements[error.field] ?? form.elements[name];
  const line = document.getElementById(`${name}-error`);
  if (!input || !line) return false;
  line.textContent = isBlank(error) ? `${labelOf(input)} is required.` : explain(error).text;
  if (input instanceof HTMLElement) {
    input.setAttribute("aria-invalid", "true");
    input.focus();
  }
  return true;
}

