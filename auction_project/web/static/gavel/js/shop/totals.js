// The sums of a cart, a checkout or an order, as the rows of a list.

import { h } from "../dom.js";
import { fromMinor, money, toMinor } from "../format.js";

/**
 * @typedef {object} Sums
 * @property {string | null} [subtotal]
 * @property {string | null} shipping
 * @property {string | null} total
 * @property {string | null} currency
 */

/**
 * What is not known has no row; free shipping is said. Where the body has no subtotal it is the total without shipping.
 * @param {Sums} sums
 * @returns {HTMLElement[]}
 */
export function totals({ subtotal, shipping, total, currency }) {
  if (currency === null) return [];
  if (subtotal === undefined && shipping !== null && total !== null)
    subtotal = fromMinor(toMinor(total, currency) - toMinor(shipping, currency), currency);
  /** @type {[string, string | null | undefined, string][]} */
  const rows = [
    ["Subtotal", subtotal, ""],
    ["Shipping", shipping, ""],
    ["Total", total, "sum"],
  ];
  return rows
    .filter(([, amount]) => amount !== null && amount !== undefined)
    .map(([name, amount, style]) =>
      h(
        "div",
        { class: style },
        h("dt", {}, name),
        h("dd", { class: "figure" }, name === "Shipping" && Number(amount) === 0 ? "Free" : money(amount, currency)),
      ),
    );
}
