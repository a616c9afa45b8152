// The one sentence of a lot's page about its state and the reader's own place in it: one state, one sentence. A combination
// that exists only between two events says that the result follows, and never repeats what was before. Pure.

import { longDate } from "./dates.js";
import { duration, money } from "./format.js";
import { formatOf } from "./formats.js";

/** @import {Award, Lot, Mood, OwnStanding, Standing} from "./bodies.d.ts" */
/** @typedef {{mood: Mood, title: string, text: string, link: string, href: string}} Sentence `link`: the text of a link, or "". */

/**
 * Null when there is nothing to say.
 * @param {Lot} lot
 * @param {OwnStanding | null} own
 * @param {Award | null} [award] What the reader has won, where the terms leave time to pay; null until it is known.
 * @returns {Sentence | null}
 */
export function sentence(lot, own, award = null) {
  const standing = own?.standing ?? "none";
  if (own && (standing === "won" || standing === "bought")) return bought(lot, own, award);
  if (standing === "failed")
    return award?.state === "LAPSED"
      ? UNPAID
      : said("bad", "Your purchase did not go through", "You pay nothing. My orders says why.", "Open My orders");
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
 * @param {string} [link]
 * @param {string} [href]
 * @returns {Sentence}
 */
function said(mood, title, text = "", link = "", href = "/orders") {
  return { mood, title, text, link, href };
}

const UNPAID = said("bad", "You did not pay in time", "You pay nothing, and the lot goes to another buyer.");

/** How long the lot's buyer may take to pay; 0: the card is charged at once. @param {Lot} lot */
export const paymentMs = ({ terms }) => (terms?.pay_within_minutes ?? 0) * 60_000;

/**
 * @param {Lot} lot
 * @param {OwnStanding} own
 * @param {Award | null} award
 */
function bought(lot, own, award) {
  const title = own.standing === "bought" ? "You bought this" : "You won this lot";
  /** @param {string} after @param {string} link @param {string} [href] */
  const goes = (after, link, href) =>
    said("good", title, [formatOf(lot).boughtAt(lot, own.alias), after].filter(Boolean).join(" "), link, href);
  if (paymentMs(lot)) return paidLater(goes, award);
  return goes(
    lot.status === "CANCELLED"
      ? "The auction was cancelled since; your purchase goes on."
      : "You don't need to do anything: My orders says when your card is charged.",
    "Track it in My orders",
  );
}

/**
 * @param {(after: string, link: string, href?: string) => Sentence} goes
 * @param {Award | null} award
 */
function paidLater(goes, award) {
  switch (award?.state) {
    case "DUE":
      return goes(
        `Pay it by ${longDate(award.pay_by)}, together with other lots and your cart if you like.`,
        "Pay it in your cart",
        "/cart",
      );
    case "PAYING":
      return goes("Your payment is under way.", "Track it in My orders");
    case "PAID":
      return goes("It is paid.", `Open order ${award.order_number}`, `/orders/${award.order_number}`);
    case "LAPSED":
      return UNPAID;
    default:
      return goes("In a moment you can pay it in your cart.", "Go to your cart", "/cart");
  }
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
    const time = paymentMs(lot);
    return said(
      "warn",
      "You're next in line",
      time
        ? `Another bidder won. If they don't pay in time, you buy the lot, at most for your maximum, and have ${duration(time)} to pay.`
        : "Another bidder won. If their payment fails, you buy the lot: your card is charged, at most your maximum.",
    );
  }
  if (standing === "lost") return said("", "You didn't win this lot", price ? `It was sold for ${price}.` : "");
  if (standing === "not_sold" || (standing === "none" && lot.outcome === "unsold"))
    return said("", "Not sold", formatOf(lot).whyUnsold(lot));
  if (standing !== "none" || !lot.outcome) return said("", "This auction has ended", "The result follows in a moment.");
  return said("", ...formatOf(lot).soldTo(lot));
}
