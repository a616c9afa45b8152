// The shop's words: conditions, stock, what has changed about a line of a cart, why a lot needs an order of its own, and the states of a checkout. Pure.

import { money, plural } from "../format.js";

/** @import {Award, CartLine, CheckoutStatus, Condition, Label, Offer, OfferPage, Shortage} from "../bodies.d.ts" */
/** @import {Obstacle} from "./awards.js" */

const FEW = 5; // so few units are said

/** @type {Record<Condition, string>} */
const CONDITIONS = {
  NEW: "New",
  LIKE_NEW: "Like new",
  GOOD: "Good",
  FAIR: "Fair",
  FOR_PARTS: "For parts or repair",
};

/** @param {Condition} condition */
export const conditionWord = (condition) => CONDITIONS[condition] ?? condition;

/** @param {Pick<Offer, "available">} offer @returns {Label} */
export function stockOf({ available }) {
  if (available <= 0) return ["Sold out", ""];
  return available <= FEW ? [`Only ${available} left`, "warn"] : ["In stock", "good"];
}

/** How many offers there are; a house that has many does not count them all. @param {Pick<OfferPage, "total" | "total_is_capped">} page */
export const countWord = ({ total, total_is_capped }) =>
  `${total_is_capped ? "More than " : ""}${plural(total, "offer")}`;

/** How many units of an offer one order may have now. @param {Pick<Offer, "available" | "max_per_order">} offer */
export const mostOf = ({ available, max_per_order }) => Math.max(0, Math.min(available, max_per_order));

/**
 * What has changed about a line since it was put in, and what the reader may answer; null when nothing has.
 * @param {CartLine} line
 * @returns {{text: string, accept: string} | null} `accept`: the words of a button, "" when there is nothing to accept.
 */
export function changeOf({ problem, seen_price, price, currency, max_per_order }) {
  switch (problem) {
    case "price_changed":
      return {
        text: `The price has changed from ${money(seen_price, currency)} to ${money(price, currency)}.`,
        accept: `Accept ${money(price, currency)}`,
      };
    case "too_many":
      return {
        text: `One order may have at most ${plural(max_per_order, "unit")}.`,
        accept: `Take ${max_per_order}`,
      };
    case "not_for_sale":
      return { text: "No longer for sale. Remove it to check out.", accept: "" };
    default:
      return null;
  }
}

/**
 * Why a checkout was refused, about one product.
 * @param {string} title
 * @param {Shortage} shortage
 */
export const shortageText = (title, { asked, available }) =>
  available ? `${title}: ${available} left of the ${asked} that you wanted.` : `${title}: sold out.`;

/**
 * Why a won lot does not go into the order, and what the reader can do; "" when they leave it out.
 * @param {Pick<Award, "currency">} award
 * @param {Obstacle | undefined} obstacle
 * @param {string | null} currency That of the order.
 */
export function obstacleText(award, obstacle, currency) {
  switch (obstacle) {
    case "currency":
      return `One order has one currency. This lot is in ${award.currency}, and the rest is in ${currency}: leave that out, or pay this lot by itself.`;
    case "product":
      return "One order has each product once, and another unit of this one is in it: leave that out, or pay this lot by itself.";
    default:
      return "";
  }
}

/** @type {Record<CheckoutStatus, Label>} */
const CHECKOUTS = {
  RESERVING: ["Reserving", "warn"],
  RESERVED: ["Reserved for you", "good"],
  PAYING: ["Paying", "warn"],
  PAID: ["Paid", "good"],
  REFUSED: ["Not available", "bad"],
  ABANDONED: ["Given up", ""],
  EXPIRED: ["Expired", "bad"],
};

/** @param {CheckoutStatus} status @returns {Label} */
export const checkoutWord = (status) => CHECKOUTS[status] ?? [status, ""];
