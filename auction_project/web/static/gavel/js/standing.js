// The one sentence of a lot's page about its state and the reader's own place in it: one state, one sentence. A combination
// that exists only between two events says that the result follows, and never repeats what was before. Pure.

import { money } from "./format.js";
import { formatOf } from "./formats.js";

/** @import {Lot, Mood, OwnStanding, Standing} from "./bodies.d.ts" */
/** @typedef {{mood: Mood, title: string, text: string, orders: string}} Sentence `orders`: the text of a link to My orders, or "". */

/**
 * Null when there is nothing to say.
 * @param {Lot} lot
 * @param {OwnStanding | null} own
 * @returns {Sentence | null}
 */
export function sentence(lot, own) {
  const standing = own?.standing ?? "none";
  if (own && (standing === "won" || standing === "bought")) return bought(lot, own);
  if (standing === "failed")
    return said("bad", "Your purchase did not go through", "You pay nothing. My orders says why.", "Open My orders");
  if (lot.status === "CANCELLED") return cancelled(lot, standing);
  if (lot.status === "OPEN") return whileOpen(lot, own);
  if (lot.status === "REQUESTED")
    return said("warn", "Waiting for stock", "The auction is listed as soon as stock is reserved.");
  if (lot.status === "SOLD_OUT")
    return said("", "Sold out", lot.ended ? "" : "If a sale falls through, its units are for sale again.");
  return lot.status === "CLOSED" ? ended(lot, standing) : null;
}

/**
 * @param {Mood} mood
 * @param {string} title
 * @param {string} [text]
 * @param {string} [orders]
 * @returns {Sentence}
 */
const said = (mood, title, text = "", orders = "") => ({ mood, title, text, orders });

/**
 * @param {Lot} lot
 * @param {OwnStanding} own
 */
function bought(lot, own) {
  const title = own.standing === "bought" ? "You bought this" : "You won this lot";
  const after =
    lot.status === "CANCELLED"
      ? "The auction was cancelled since; your purchase goes on."
      : "You don't need to do anything: My orders says when your card is charged.";
  return said(
    "good",
    title,
    [formatOf(lot).boughtAt(lot, own.alias), after].filter(Boolean).join(" "),
    "Track it in My orders",
  );
}

/**
 * @param {Lot} lot
 * @param {Standing} standing
 */
function cancelled(lot, standing) {
  const bids = standing === "none" ? "" : "Your bids no longer count; you won't be charged.";
  return said(
    "warn",
    "This auction was cancelled",
    [lot.reason && `Reason: ${lot.reason}`, bids].filter(Boolean).join(" "),
  );
}

/**
 * @param {Lot} lot
 * @param {OwnStanding | null} own
 */
function whileOpen(lot, own) {
  if (own?.standing === "leading") {
    return said(
      "good",
      "You're the highest bidder",
      own.maximum ? `Your maximum is ${money(own.maximum, lot.currency)}. Only you see it.` : "",
    );
  }
  if (own?.standing === "outbid") {
    return said(
      "bad",
      "You were outbid",
      `Another bidder's maximum is at least yours. The next bid is ${money(lot.minimum, lot.currency)} or more.`,
    );
  }
  return null;
}

/**
 * @param {Lot} lot
 * @param {Standing} standing
 */
function ended(lot, standing) {
  const price = lot.price ? money(lot.price, lot.currency) : "";
  if (standing === "next_in_line") {
    return said(
      "warn",
      "You're next in line",
      "Another bidder won. If their payment fails, you buy the lot: your card is charged, at most your maximum.",
    );
  }
  if (standing === "lost") return said("", "You didn't win this lot", price ? `It was sold for ${price}.` : "");
  if (standing === "not_sold" || (standing === "none" && lot.outcome === "unsold"))
    return said("", "Not sold", formatOf(lot).whyUnsold(lot));
  if (standing !== "none" || !lot.outcome) return said("", "This auction has ended", "The result follows in a moment.");
  return said("", ...formatOf(lot).soldTo(lot));
}
