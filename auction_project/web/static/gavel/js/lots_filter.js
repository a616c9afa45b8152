// The filter of the list of lots, as the address of its page holds it. Pure.

import { filterFields, withCurrency } from "./filter_fields.js";

/**
 * @typedef {object} LotFilter
 * @property {string} q
 * @property {string} status Open lots by default; "" for all.
 * @property {string} format
 * @property {string} ending_soon "true" or "".
 * @property {string} currency
 * @property {string} min_price
 * @property {string} max_price
 * @property {string} order "" for the order of the status.
 * @property {string} page "" for the first.
 */

const NAMES = /** @type {const} */ ([
  "q",
  "status",
  "format",
  "ending_soon",
  "currency",
  "min_price",
  "max_price",
  "order",
  "page",
]);
const NARROWING = /** @type {const} */ (["format", "ending_soon", "currency", "min_price", "max_price"]);
export const RELEVANCE = "relevance";
const OVER = ["SOLD_OUT", "CLOSED", "CANCELLED"];

export const {
  read: readLots,
  addressOf: addressOfLots,
  narrowing: narrowingLots,
  widened,
} = filterFields(NAMES, NARROWING, { status: "OPEN" });

/**
 * Lots that are over are listed with the latest end first, all others with the next end first. Without words no match is the best.
 * @param {LotFilter} filter
 */
export const orderOf = ({ order, status, q }) =>
  order && (q || order !== RELEVANCE) ? order : OVER.includes(status) ? "-ends_at" : "ends_at";

/**
 * The filter with some fields changed, from its first page on. Another status has an order of ends of its own.
 * @param {LotFilter} filter
 * @param {Partial<LotFilter>} change
 * @returns {LotFilter}
 */
export function changed(filter, change) {
  const order = "status" in change && filter.order.endsWith("ends_at") ? "" : filter.order;
  return { ...filter, order, page: "", ...change };
}

/** The fields of the request. @param {LotFilter} filter @param {string} currency That of the page. */
export const queryOfLots = (filter, currency) => ({ ...withCurrency(filter, currency), order: orderOf(filter) });

/** Whether it shows all open lots. @param {LotFilter} filter */
export const isAllOpen = (filter) => filter.status === "OPEN" && !filter.q && narrowingLots(filter) === 0;
