// The filter of a list of offers, as the address of its page holds it. Pure.

import { filterFields } from "../filter_fields.js";

/**
 * @typedef {object} Filter
 * @property {string} q
 * @property {string} category A slug.
 * @property {string} condition
 * @property {string} currency
 * @property {string} min_price
 * @property {string} max_price
 * @property {string} in_stock "true" or "".
 * @property {string} sort
 */

const NAMES = /** @type {const} */ ([
  "q",
  "category",
  "condition",
  "currency",
  "min_price",
  "max_price",
  "in_stock",
  "sort",
]);
const NARROWING = /** @type {const} */ (["category", "condition", "currency", "min_price", "max_price", "in_stock"]);

export const { read: readFilter, addressOf, narrowing, widened } = filterFields(NAMES, NARROWING);
