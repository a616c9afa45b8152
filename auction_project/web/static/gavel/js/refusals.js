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
  unavailable: "We can't take bids right now",
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
    case "auction_cancelled":
      return body.reason ? `Reason: ${body.reason}` : null;
    case "unavailable":
      return "We can't reach the bid log right now. Please try again in a moment.";
    default:
      return null;
  }
}
