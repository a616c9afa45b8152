// What is shown in words: the rules of an auction, states, refusals with their figures, where a notification leads.

import { Offline, Problem } from "./api.js";
import { duration, fromMinor, instant, longDate, money, plural, toMinor } from "./format.js";

// --- the rules of an auction -------------------------------------------------------------------------------------

/** The least step at a price, both in minor units, by the server's table. */
export function stepAt(price, { below, steps }) {
  return steps[below.filter((bound) => price >= bound).length];
}

/** The terms as sentences. `terms`: format, currency, start_price, has_reserve, quantity, starts_at, ends_at, … */
export function rulesOf(terms, figures) {
  const common = [`It opens on ${longDate(terms.starts_at)} and ends on ${longDate(terms.ends_at)}, by the server's clock.`];
  const own = terms.format === "buy_now" ? buyNowRules(terms) : englishRules(terms, figures);
  return [...common, ...own, "The seller may not bid. Bidders appear under an alias; every entry of the record carries the hash of all before it."];
}

function englishRules(terms, figures) {
  const { currency } = terms;
  const start = toMinor(terms.start_price, currency);
  const step = stepAt(start, figures.increments);
  const { steps } = figures.increments;
  const shown = (minor) => money(fromMinor(minor, currency), currency);
  const lines = [
    `Bidding starts at ${shown(start)}. The first bid leads at that price.`,
    "You bid a maximum that stays hidden; the house bids for you, only as far as it must. On a tie the earlier bid leads.",
    `Each next bid is at least one step above the price: ${shown(step)} at the start, and from ${shown(steps[0])} to ${shown(steps.at(-1))} as the price grows.`,
    "A bid cannot be taken back. You may lower your own maximum, down to the visible price.",
    terms.has_reserve
      ? "There is a hidden reserve. Below it nothing is sold; you see whether it is met."
      : "There is no reserve: the highest bid wins.",
  ];
  lines.push(...softClose(terms.soft_close));
  lines.push("The winner's card is charged at once. If that fails, the lot goes to the next bidder at his own highest bid.");
  if (terms.relistings_left > 0) lines.push(`If nobody pays, the lot is listed again, at most ${plural(terms.relistings_left, "time")}.`);
  return lines;
}

function softClose(soft) {
  if (!soft || soft.window_ms === 0) return ["The end is fixed: late bids do not move it."];
  const cap = soft.cap_total_ms ? `, by ${duration(soft.cap_total_ms)} at most in all` : "";
  const stop = soft.hard_stop_at ? `, and never beyond ${longDate(soft.hard_stop_at)}` : "";
  return [`A bid within the last ${duration(soft.window_ms)} moves the end to ${duration(soft.extension_ms)} after it${cap}${stop}.`];
}

function buyNowRules(terms) {
  return [
    `Each unit costs ${money(terms.start_price, terms.currency)}; the price is fixed.`,
    `${plural(Number(terms.quantity) || 1, "unit is", "units are")} for sale, first come, first served.`,
    "Buying is binding: your card is charged at once. If the payment or the stock fails, the sale is undone completely.",
  ];
}

// --- states ------------------------------------------------------------------------------------------------------

const STATUS = {
  NEW: ["New", ""],
  REQUESTED: ["Requested", "warn"],
  SCHEDULED: ["Coming up", ""],
  OPEN: ["Open", "good live"],
  CLOSED: ["Over", ""],
  CANCELLED: ["Cancelled", "bad"],
};

export const statusOf = (status) => STATUS[status] ?? [status, ""];

const NEXT = {
  runner_up: "it is offered to the next bidder",
  back_on_sale: "the units are for sale again",
  relist: "the lot is listed again",
  nothing: "nothing follows",
};

/** One line for an entry of the record (see log.js). */
export function lineOf(entry, { alias, format }) {
  const who = (name) => (name && name === alias ? "You" : name);
  const price = entry.price === undefined ? "" : money(entry.price, entry.currency);
  switch (entry.kind) {
    case "requested":
      return "Requested by the seller";
    case "scheduled":
      return "Accepted by the stock desk, and scheduled";
    case "opened":
      return `Opened; ends ${instant(entry.ends_at)}`;
    case "bid":
      if (format === "buy_now") return `${who(entry.bidder)} bought ${entry.quantity > 1 ? plural(entry.quantity, "unit") : "one"}`;
      return bidLine(entry, who, alias);
    case "cancelled":
      return `Cancelled: ${entry.reason}`;
    case "closed":
      if (format === "buy_now") return "Closed";
      if (entry.winner) return `Closed: ${who(entry.winner)} won at ${price}`;
      return entry.reserve_met === false ? "Closed: the reserve was not met" : "Closed without a bid";
    case "settled":
      return "Paid and settled";
    case "sale_failed":
      return `A sale fell through: ${NEXT[entry.next] ?? entry.next}`;
    default:
      return entry.kind;
  }
}

function bidLine({ bidder, leader }, who, alias) {
  const leads = leader === alias ? "lead" : "leads";
  return bidder === leader ? `${who(bidder)} ${leads}` : `${who(bidder)} bid, ${leader === alias ? "you" : leader} still ${leads}`;
}

// --- refusals ----------------------------------------------------------------------------------------------------

const TITLES = {
  bid_too_low: "Your bid is too low",
  bid_unchanged: "That is your maximum already",
  auction_closed: "The auction is over",
  auction_not_open: "The auction has not opened yet",
  auction_cancelled: "The auction was cancelled",
  own_lot: "This is your own lot",
  currency_mismatch: "Another currency",
  sold_out: "Not that many are left",
  price_differs: "The price is another one",
  may_not_bid: "You may not bid yet",
  amount_invalid: "That is no amount",
  has_bids: "There are bids already",
};

/** {title, text, rule} of an error, with the figures that the rule names. */
export function explain(error, currency = "EUR") {
  if (error instanceof Offline) return { title: "No answer", text: "The server cannot be reached. Nothing was changed that you were not told of.", rule: "" };
  if (!(error instanceof Problem)) return { title: "Something went wrong", text: String(error.message ?? error), rule: "" };
  if (error.status === 401) return { title: "You are signed out", text: "Sign in again to go on.", rule: error.code };
  const { body, code } = error;
  const unit = body.currency ?? currency;
  const title = TITLES[code] ?? body.title ?? "That did not work";
  return { title, text: figuresOf(code, body, unit) ?? error.message, rule: code };
}

function figuresOf(code, body, currency) {
  const amount = body.amount && money(body.amount, currency);
  const minimum = body.minimum && money(body.minimum, currency);
  switch (code) {
    case "bid_too_low":
      return amount && minimum ? `You offered ${amount}; at least ${minimum} is needed. ${body.detail}` : null;
    case "bid_unchanged":
      return amount ? `Your maximum stands at ${amount}. Raise it, or lower it down to the visible price.` : null;
    case "sold_out":
      return body.quantity_left === undefined ? null : `${plural(body.quantity_left, "unit")} left. ${body.detail}`;
    case "price_differs":
      return body.price ? `You offered ${amount}; the price is ${money(body.price, currency)}.` : null;
    case "auction_not_open":
      return body.starts_at ? `It opens ${longDate(body.starts_at)}.` : null;
    case "auction_closed":
      return body.ends_at ? `It ended ${longDate(body.ends_at)}.` : null;
    case "auction_cancelled":
      return body.reason ? `The reason: ${body.reason}` : null;
    default:
      return null;
  }
}

// --- notifications -----------------------------------------------------------------------------------------------

const KINDS = {
  outbid: ["Outbid", "bad"],
  leading: ["Leading", "good"],
  won: ["Won", "good"],
  lost: ["Lost", ""],
  auction_cancelled: ["Cancelled", "warn"],
  order_confirmed: ["Order", "good"],
  order_cancelled: ["Order", "bad"],
  payment_declined: ["Payment", "bad"],
  low_stock: ["Stock", "warn"],
};

export const kindOf = (kind) => KINDS[kind] ?? [kind, ""];
export const moodOf = (kind) => kindOf(kind)[1];

/** Where a notification leads. */
export function linkOf({ kind, data }) {
  if (kind === "low_stock") return `/admin/inventory/product/${data.product_id}/change/`;
  if (data.order_number) return `/orders/${data.order_number}`;
  return data.auction_id ? `/auctions/${data.auction_id}` : null;
}

export const REASONS = {
  stock_refused: "the item is no longer in stock",
  risk_refused: "our risk check did not pass",
  payment_refused: "the payment was refused",
  step_failed: "something went wrong on our side",
  operator: "an operator cancelled it",
};
