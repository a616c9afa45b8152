// The field for a number of units: a number that the keyboard changes, between a button for less and one for more.

import { h } from "../dom.js";

/**
 * @typedef {object} QuantityOptions
 * @property {string} id
 * @property {string} label
 * @property {number} value
 * @property {number} max
 * @property {string} [describedBy]
 * @property {(quantity: number) => void} [onChange] Called with a number within the bounds.
 */

/** @param {QuantityOptions} options */
export function quantityField({ id, label, value, max, describedBy, onChange }) {
  const input = h("input", {
    id,
    type: "number",
    inputmode: "numeric",
    min: 1,
    max,
    step: 1,
    value,
    "aria-label": label,
    "aria-describedby": describedBy,
  });
  /** @param {number} by @param {string} sign @param {string} name */
  const button = (by, sign, name) =>
    h(
      "button",
      {
        type: "button",
        class: "step",
        "aria-label": `${name}: ${label}`,
        onclick: () => change(quantityOf(input) + by),
      },
      sign,
    );
  const less = button(-1, "−", "One less");
  const more = button(1, "+", "One more");

  /** @param {number} quantity */
  function change(quantity) {
    const bounded = Math.min(Math.max(quantity, 1), Math.max(Number(input.max), 1));
    input.value = String(bounded);
    show();
    onChange?.(bounded);
  }

  function show() {
    less.disabled = quantityOf(input) <= 1;
    more.disabled = quantityOf(input) >= Number(input.max);
  }

  input.addEventListener("change", () => change(quantityOf(input)));
  show();
  return { element: h("div", { class: "quantity", role: "group", "aria-label": label }, less, input, more), input };
}

/** The number in the field; 1 when there is none. @param {HTMLInputElement} input */
export function quantityOf(input) {
  const number = Math.floor(Number(input.value));
  return Number.isFinite(number) && number >= 1 ? number : 1;
}
