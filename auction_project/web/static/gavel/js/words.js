// What notifications say in one word, and where they lead; why an order was cancelled.

/** @import {Label, Mood, Notification} from "./bodies.d.ts" */

// --- notifications -----------------------------------------------------------------------------------------------

/** @type {{[kind: string]: Label}} */
const KINDS = {
  outbid: ["Outbid", "bad"],
  leading: ["Leading", "good"],
  won: ["Won", "good"],
  lost: ["Not won", ""],
  not_sold: ["Not sold", ""],
  next_in_line: ["Next in line", "warn"],
  lot_sold: ["Sold", "good"],
  lot_unsold: ["Not sold", "warn"],
  auction_cancelled: ["Cancelled", "warn"],
  order_confirmed: ["Order", "good"],
  order_cancelled: ["Order", "bad"],
  payment_declined: ["Payment", "bad"],
  low_stock: ["Stock", "warn"],
};

/** @param {string} kind @returns {Label} */
export const kindOf = (kind) => KINDS[kind] ?? [kind, ""];
/** @param {string} kind @returns {Mood} */
export const moodOf = (kind) => kindOf(kind)[1];

const OF_FAILED_SALES = new Set(["order_cancelled", "payment_declined"]);

/**
 * Where a notification leads. A sale that failed may never have become an order: it leads to its lot, which says so.
 * @param {Pick<Notification, "kind" | "data">} notification
 */
export function linkOf({ kind, data }) {
  if (kind === "low_stock") return `/admin/inventory/product/${data.product_id}/change/`;
  if (OF_FAILED_SALES.has(kind)) return data.auction_id ? `/auctions/${data.auction_id}` : "/orders";
  if (data.order_number) return `/orders/${data.order_number}`;
  return data.auction_id ? `/auctions/${data.auction_id}` : null;
}

/** @type {{[code: string]: string}} */
export const REASONS = {
  stock_refused: "the item is no longer in stock",
  risk_refused: "our risk check did not pass",
  payment_refused: "the payment was declined",
  step_failed: "something went wrong on our side",
  operator: "an operator cancelled it",
};
