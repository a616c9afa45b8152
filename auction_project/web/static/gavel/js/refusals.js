// What the page says about a request that failed: a title, and a sentence with the figures that the rule names. Pure.

import { amountHint } from "./amount.js";
import { longDate } from "./dates.js";
import { Offline, Problem } from "./errors.js";
import { money } from "./format.js";

/** @import {ProblemBody} from "./bodies.d.ts" */
/** @typedef {{title: string, text: string, rule: string}} Explanation `rule`: the code of the refusal, or "". */

/** @type {Record<string, string>} */
const TITLES = {
  bid_too_low: "Your bid is too low",
  bid_unchanged: "This is already your maximum",
  auction_closed: "The auction has ended",
  auction_not_open: "The auction has not opened yet",
  auction_cancelled: "The auction was cancelled",
  own_lot: "This is your own lot",
  house_lot: "You can't bid on this lot",
  card_missing: "Add a card before you bid",
  confirmation_required: "Please confirm your bid",
  currency_mismatch: "Wrong currency",
  sold_out: "Not enough units left",
  price_differs: "The price has changed",
  may_not_bid: "You can't bid yet",
  amount_invalid: "That is not a valid amount",
  amount_out_of_range: "That is not a valid amount",
  has_bids: "There are bids already",
  unavailable: "Not available right now",
  not_for_sale: "No longer for sale",
  too_many: "Too many for one order",
  price_changed: "The price has changed",
  mixed_currencies: "Another currency",
  cart_full: "Your cart is full",
  cart_changed: "Your cart has changed",
  not_awarded: "A lot can't be paid here any more",
  same_product: "The same product twice",
  below_minimum: "The order is too small",
  address_missing: "Choose an address",
  checkout_under_way: "Your last order is being paid",
  checkout_expired: "The time to pay is over",
  no_usable_card: "Add a card first",
  return_too_late: "Too late to return this",
  return_asked_already: "A return is under way",
  return_decided: "This is answered or over",
  too_many_returned: "Not so many",
  order_not_shipped: "Not shipped yet",
};

/**
 * `currency` is that of the figures when the refusal does not name one.
 * @param {unknown} error
 * @param {string} [currency]
 * @returns {Explanation}
 */
export function explain(error, currency = "EUR") {
  if (error instanceof Offline)
    return {
      title: "No answer",
      text: "We can't reach the server. Nothing has changed unless we told you so.",
      rule: "",
    };
  if (!(error instanceof Problem))
    return { title: "Something went wrong", text: error instanceof Error ? error.message : String(error), rule: "" };
  if (error.status === 401)
    return { title: "You are signed out", text: "Sign in again to continue.", rule: error.code };
  const { body, code } = error;
  const title = TITLES[code] ?? body.title ?? "That did not work";
  return { title, text: figuresOf(code, body, body.currency ?? currency) ?? error.message, rule: code };
}

/**
 * The sentence with the figures; null when the refusal has none, so that its own sentence is shown.
 * @param {string} code
 * @param {ProblemBody} body
 * @param {string} currency
 * @returns {string | null}
 */
function figuresOf(code, body, currency) {
  const amount = body.amount && money(body.amount, currency);
  const minimum = body.minimum && money(body.minimum, currency);
  switch (code) {
    case "bid_too_low":
      return amount && minimum ? `Your bid of ${amount} was below the minimum of ${minimum}.` : null;
    case "amount_invalid":
      if (body.decimals !== undefined) return null;
      return body.maximum ? `Enter an amount above 0, and at most ${money(body.maximum, currency)}.` : amountHint();
    case "terms_invalid":
      return body.detail?.replace(`${body.field} must`, "It must") ?? null;
    case "bid_unchanged":
      return amount ? `Your maximum is ${amount}.` : null;
    case "sold_out":
      if (body.quantity_left === undefined) return null;
      return body.quantity_left ? `Only ${body.quantity_left} left.` : "All units are sold.";
    case "price_differs":
      return body.price ? `The price is ${money(body.price, currency)}.` : null;
    case "auction_not_open":
      return body.starts_at ? `It opens on ${longDate(body.starts_at)}.` : null;
    case "auction_closed":
      return body.ends_at ? `It ended on ${longDate(body.ends_at)}.` : null;
    case "return_too_late":
      return body.until ? `It could be returned until ${longDate(body.until)}.` : null;
    case "too_many_returned":
      return body.possible === undefined ? null : `At most ${body.possible} of it can come back.`;
    case "auction_cancelled":
      return body.reason ? `Reason: ${body.reason}` : null;
    case "price_changed":
      return newPriceOf(body.lines ?? [], currency);
    case "too_many":
      return body.maximum === undefined ? null : `One order may have at most ${body.maximum}.`;
    case "below_minimum":
      return minimum && body.total
        ? `It comes to ${money(body.total, currency)}, and must come to ${minimum} at least.`
        : null;
    case "not_awarded":
      return "It is paid already, or its time to pay is over. Your cart has the lots that you can still pay.";
    case "same_product":
      return "One order has each product once. Leave one of the two out in your cart, and order it afterwards.";
    case "mixed_currencies":
      return "One order has one currency. Order what you have in the one first, and the rest afterwards.";
    case "unavailable":
      return "A part of the house does not answer. Please try again in a moment.";
    default:
      return null;
  }
}

/**
 * Both prices, if one has changed; the cart shows several.
 * @param {{seen: string, price: string}[]} lines
 * @param {string} currency
 */
function newPriceOf(lines, currency) {
  const [line, ...others] = lines;
  if (!line || others.length) return null;
  return `It is ${money(line.price, currency)} now. You saw ${money(line.seen, currency)}.`;
}
