// English auctions: bids compete, a hidden maximum bids for its bidder. What the pages say of them, and what frames change.

import { duration, fromMinor, longDate, money, plural, toMinor } from "../format.js";

/** The least step at a price, both in minor units, by the server's table. */
const stepAt = (price, { below, steps }) => steps[below.filter((bound) => price >= bound).length];

export const english = {
  label: "Auction",
  startLabel: "Starting price",

  /** Whether bids compete. If so, frames say all that the pages show of a bid, there is a leader, and prices can be plotted. */
  isContest: true,

  canBid: (lot) => lot.status === "OPEN",

  /** How the bidder of that alias stands while the lot is open. */
  standing: (lot, alias) => (lot.leader === alias ? "leading" : "outbid"),

  /** {label, amount} of the price in lists; its label on the page of the lot. */
  price(lot) {
    if (!lot.price || !lot.bids) return { label: "Starts at", amount: money(lot.minimum, lot.currency) };
    const label = lot.status === "OPEN" ? "Current bid" : lot.outcome === "sold" ? "Sold for" : "Last bid";
    return { label, amount: money(lot.price, lot.currency) };
  },
  priceLabel: (lot) => english.price(lot).label,

  interest: (lot) => (lot.bids ? plural(lot.bids, "bid") : "No bids"),

  /** The lot after its close; after a failed sale (null: load it). */
  afterClose: (lot, { winner }) => ({ ...lot, status: "CLOSED", outcome: winner ? "sold" : "unsold" }),
  afterFailedSale: (lot, { next, leader, price, ended }) => ({
    ...lot,
    leader,
    price: Number(price) ? price : null,
    ended,
    outcome: next === "runner_up" ? "sold" : "unsold",
  }),

  /** Lines of the record. `who` names an alias; `isOwn` says whether it is the reader's. */
  bidLine({ bidder, leader }, { who, isOwn }) {
    if (bidder === leader) return `${who(bidder)} ${isOwn(leader) ? "lead" : "leads"}`;
    return `${who(bidder)} ${isOwn(bidder) ? "were" : "was"} outbid by ${isOwn(leader) ? "your" : `${leader}'s`} maximum`;
  },
  closeLine({ winner, price, currency, reserve_met }, { who }) {
    if (winner) return `Ended: ${who(winner)} won at ${money(price, currency)}`;
    return reserve_met === false ? "Ended: the reserve was not met" : "Ended without a bid";
  },
  bidAmount: ({ price, currency }) => money(price, currency),

  /** Sentences of standing.js. */
  boughtAt: (lot, alias) => (lot.price && lot.leader === alias ? `Your price is ${money(lot.price, lot.currency)}.` : ""),
  whyUnsold(lot) {
    if (!lot.bids) return "There was no bid.";
    if (lot.has_reserve && !lot.reserve_met) return `Bidding reached ${money(lot.price, lot.currency)}, below the reserve.`;
    return "The sale fell through.";
  },
  soldTo: (lot) => [`Sold for ${lot.price ? money(lot.price, lot.currency) : ""}`, lot.leader ? `The buyer is ${lot.leader}.` : ""],

  /** The rules as sentences. `terms`: those of the lot, with its currency and has_reserve. */
  rules(terms, figures) {
    const { currency } = terms;
    const { steps } = figures.increments;
    const start = toMinor(terms.start_price, currency);
    const shown = (minor) => money(fromMinor(minor, currency), currency);
    const lines = [
      `Bidding starts at ${shown(start)}. The first bidder leads at that price.`,
      "You enter a maximum, which stays hidden. We bid for you, only as much as needed. On a tie the earlier bid leads.",
      `Bids rise in steps: ${shown(stepAt(start, figures.increments))} at this price, up to ${shown(steps.at(-1))} as the price grows.`,
      "You can't take a bid back. While you lead you may raise your maximum at any time, or lower it as far as the current price. Neither counts as a bid, and neither extends the auction.",
      "We ask you to confirm a bid above five times the minimum, and one that lowers your maximum.",
      terms.has_reserve
        ? "There is a hidden reserve. Below it the lot is not sold; we show whether it has been met."
        : "There is no reserve: the highest bid wins.",
      softClose(terms.soft_close),
      "The winner's card is charged immediately. If that fails, all bids of that bidder are struck and the price is computed again without them. The lot is offered to the next bidder at that price, and their card is charged.",
    ];
    if (terms.relistings_left > 0) lines.push(`If nobody pays, the lot is relisted up to ${plural(terms.relistings_left, "time")}.`);
    return lines;
  },
};

function softClose(soft) {
  if (!soft || soft.window_ms === 0) return "The end is fixed: late bids do not extend the auction.";
  const cap = soft.cap_total_ms ? ` (${duration(soft.cap_total_ms)} in total at most)` : "";
  const stop = soft.hard_stop_at ? `, never beyond ${longDate(soft.hard_stop_at)}` : "";
  return `A bid in the last ${duration(soft.window_ms)} extends the auction by ${duration(soft.extension_ms)}${cap}${stop}.`;
}
