// What is shown in words: the rules of an auction, states, refusals with their figures, why a sale failed.

import { Offline, Problem } from "./api.js";
import { instant, longDate, money } from "./format.js";
import { formatOf } from "./formats.js";

// --- the rules of an auction -------------------------------------------------------------------------------------

/** The terms as sentences. `terms`: format, currency, start_price, has_reserve, quantity, starts_at, ends_at, … */
export function rulesOf(terms, figures) {
  const common = [`The auction opens on ${longDate(terms.starts_at)} and ends on ${longDate(terms.ends_at)}, by the server's clock.`];
  if (terms.card_required !== false) common.push("You need a card on file to bid.");
  return [
    ...common,
    ...formatOf(terms).rules(terms, figures),
    "Sellers can't bid on their own lots. Bidders appear under an alias. The history is tamper-evident: each entry includes a hash of the entries before it.",
  ];
}

// --- states ------------------------------------------------------------------------------------------------------

const STATUS = {
  NEW: ["New", ""],
  REQUESTED: ["Waiting for stock", "warn"],
  SCHEDULED: ["Coming up", ""],
  OPEN: ["Open", "good live"],
  SOLD_OUT: ["Sold out", ""],
  CLOSED: ["Ended", ""],
  CANCELLED: ["Cancelled", "bad"],
};
const OUTCOME = { sold: ["Sold", "good"], unsold: ["Not sold", ""] };

/** [word, mood] of a lot's state: of an ended one, how it ended. */
export const stateOf = ({ status, outcome }) => (status === "CLOSED" && OUTCOME[outcome]) || (STATUS[status] ?? [status, ""]);

const STANDINGS = {
  none: ["No bid", ""],
  leading: ["Leading", "good"],
  outbid: ["Outbid", "bad"],
  won: ["Won", "good"],
  bought: ["Bought", "good"],
  next_in_line: ["Next in line", "warn"],
  lost: ["Not won", ""],
  not_sold: ["Not sold", ""],
  failed: ["Failed", "bad"],
  cancelled: ["Cancelled", "warn"],
};

/** [word, mood] of a bidder's standing. */
export const standingWord = (standing) => STANDINGS[standing] ?? [standing, ""];

const NEXT = {
  runner_up: ", offered to the next bidder",
  back_on_sale: ", back in stock",
  relist: ", the lot is listed again",
};

/** One line for an entry of the record (see record.js). */
export function lineOf(entry, { alias, format }) {
  const isOwn = (name) => Boolean(name) && name === alias;
  const who = (name) => (isOwn(name) ? "You" : name);
  switch (entry.kind) {
    case "requested":
      return "Waiting for stock";
    case "scheduled":
      return "Listed";
    case "opened":
      return `Opened; ends ${instant(entry.ends_at)}`;
    case "bid":
      return formatOf({ format }).bidLine(entry, { who, isOwn });
    case "maximum_changed":
      return `${who(entry.leader)} changed ${isOwn(entry.leader) ? "your" : "their"} maximum`;
    case "sold_out":
      return "Sold out";
    case "cancelled":
      return `Cancelled: ${entry.reason}`;
    case "closed":
      return formatOf({ format }).closeLine(entry, { who });
    case "settled":
      return "Paid";
    case "sale_failed":
      return `Sale cancelled${NEXT[entry.next] ?? ""}`;
    default:
      return entry.kind;
  }
}

// --- refusals ----------------------------------------------------------------------------------------------------

const TITLES = {
  bid_too_low: "Your bid is too low",
  bid_unchanged: "This is already your maximum",
  auction_closed: "The auction has ended",
  auction_not_open: "The auction has not opened yet",
  auction_cancelled: "The auction was cancelled",
  own_lot: "This is your own lot",
  house_lot: "Operators can't bid on the house's lots",
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

/** {title, text, rule} of an error, with the figures that the rule names. */
export function explain(error, currency = "EUR") {
  if (error instanceof Offline) return { title: "No answer", text: "We can't reach the server. Nothing has changed unless we told you so.", rule: "" };
  if (!(error instanceof Problem)) return { title: "Something went wrong", text: String(error.message ?? error), rule: "" };
  if (error.status === 401) return { title: "You are signed out", text: "Sign in again to continue.", rule: error.code };
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
      return amount && minimum ? `Your bid of ${amount} is too low. Bid ${minimum} or more.` : null;
    case "bid_unchanged":
      return amount ? `Your maximum is ${amount}.` : null;
    case "sold_out":
      return body.quantity_left === undefined ? null : body.quantity_left ? `Only ${body.quantity_left} left.` : "All units are sold.";
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

// --- why a sale failed -------------------------------------------------------------------------------------------

export const REASONS = {
  stock_refused: "the item is no longer in stock",
  risk_refused: "our risk check did not pass",
  payment_refused: "the payment was declined",
  step_failed: "something went wrong on our side",
  operator: "an operator cancelled it",
};
