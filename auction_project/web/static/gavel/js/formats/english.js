// English auctions: bids compete, a hidden maximum bids for its bidder. format.d.ts says what the members mean. Pure.

import { longDate } from "../dates.js";
import { duration, fromMinor, money, plural, toMinor } from "../format.js";

/** @import {RuleFigures, SoftClose} from "../bodies.d.ts" */
/** @import {Format} from "./format.d.ts" */

/**
 * The least step at a price, both in minor units, by the server's table.
 * @param {number} price
 * @param {RuleFigures["increments"]} increments
 */
const stepAt = (price, { below, steps }) => steps[below.filter((bound) => price >= bound).length] ?? 0;

/** @type {Format} */
export const english = {
  label: "Auction",
  startLabel: "Starting price",
  isContest: true,
  canBid: (lot) => lot.status === "OPEN",
  standing: (lot, alias) => (lot.leader === alias ? "leading" : "outbid"),

  price(lot) {
    if (!lot.price || !lot.bids) return { label: "Starts at", amount: money(lot.minimum, lot.currency) };
    const label = lot.status === "OPEN" ? "Current bid" : lot.outcome === "sold" ? "Sold for" : "Last bid";
    return { label, amount: money(lot.price, lot.currency) };
  },
  priceLabel: (lot) => english.price(lot).label,

  interest: (lot) => (lot.bids ? plural(lot.bids, "bid") : "No bids"),

  afterClose: (lot, { winner }) => ({ ...lot, status: "CLOSED", outcome: winner ? "sold" : "unsold" }),
  afterFailedSale: (lot, { next, leader, price, ended = lot.ended }) => ({
    ...lot,
    leader,
    price: price && Number(price) ? price : null,
    ended,
    outcome: next === "runner_up" ? "sold" : "unsold",
  }),

  bidLine({ bidder, leader }, { who, isOwn }) {
    if (bidder === leader) return `${who(bidder)} ${isOwn(leader) ? "lead" : "leads"}`;
    return `${who(bidder)} ${isOwn(bidder) ? "were" : "was"} outbid by ${isOwn(leader) ? "your" : `${leader}'s`} maximum`;
  },
  closeLine({ winner, price, currency, reserve_met }, { who }) {
    if (winner) return `Ended: ${who(winner)} won at ${money(price, currency)}`;
    return reserve_met === false ? "Ended: the reserve was not met" : "Ended without a bid";
  },
  bidAmount: ({ price, currency }) => money(price, currency),

  boughtAt: (lot, alias) =>
    lot.price && lot.leader === alias ? `Your price is ${money(lot.price, lot.currency)}.` : "",
  whyUnsold(lot) {
    if (!lot.bids) return "There was no bid.";
    if (lot.has_reserve && !lot.reserve_met)
      return `Bidding reached ${money(lot.price, lot.currency)}, below the reserve.`;
    return "The sale was cancelled.";
  },
  soldTo: (lot) => [
    `Sold for ${lot.price ? money(lot.price, lot.currency) : ""}`,
    lot.leader ? `The buyer is ${lot.leader}.` : "",
  ],

  rules(terms, figures) {
    const { currency, relistings_left: relistings = 0 } = terms;
    const { steps } = figures.increments;
    const start = toMinor(terms.start_price, currency);
    /** @param {number} minor */
    const shown = (minor) => money(fromMinor(minor, currency), currency);
    const lines = [
      `Bidding starts at ${shown(start)}. The first bidder leads at that price.`,
      "You enter a maximum, which stays hidden. We bid for you, only as much as needed. On a tie the earlier bid leads.",
      `Bids rise in steps: ${shown(stepAt(start, figures.increments))} at this price, up to ${shown(steps.at(-1) ?? 0)} as the price grows.`,
      "You can't take a bid back. While you lead you may raise your maximum at any time, or lower it as far as the current price. Neither counts as a bid, and neither extends the auction.",
      "We ask you to confirm a bid above five times the minimum, and one that lowers your maximum.",
      terms.has_reserve
        ? "There is a hidden reserve. Below it the lot is not sold; we show whether it has been met. A maximum at or above it raises the price to it."
        : "There is no reserve: the highest bid wins.",
      softClose(terms.soft_close),
      afterEnd(terms.pay_within_minutes),
    ];
    if (relistings > 0) lines.push(`If no bidder pays, the lot is relisted up to ${plural(relistings, "time")}.`);
    return lines;
  },
};

/** What follows a win, and what follows when the winner does not pay. @param {number} [minutes] */
function afterEnd(minutes) {
  const [pays, nextPays] = minutes
    ? [
        `The winner has ${duration(minutes * 60_000)} after the end to pay in the shop, together with other lots and the cart if they like. If they don't`,
        "who has as long to pay",
      ]
    : [
        "After the end we check the risk, and then charge the winner's card. If either fails",
        "and their card is charged",
      ];
  return `${pays}, all bids of that bidder are struck and the price is computed again without them. The lot is offered to the next bidder at that price, ${nextPays}.`;
}

/** @param {SoftClose | null | undefined} soft */
function softClose(soft) {
  if (!soft || soft.window_ms === 0) return "The end is fixed: late bids do not extend the auction.";
  const cap = soft.cap_total_ms ? ` (${duration(soft.cap_total_ms)} in total at most)` : "";
  const stop = soft.hard_stop_at ? `, never beyond ${longDate(soft.hard_stop_at)}` : "";
  return `A bid in the last ${duration(soft.window_ms)} extends the auction by ${duration(soft.extension_ms)}${cap}${stop}.`;
}
