// Buy now: a fixed price, several units, each bid a purchase. format.d.ts says what the members mean. Pure.

import { duration, money, plural } from "../format.js";

/** @import {Format} from "./format.d.ts" */

/** @type {Format} */
export const buyNow = {
  label: "Buy now",
  startLabel: "Price per unit",
  isContest: false,
  canBid: (lot) => lot.status === "OPEN" && lot.quantity_left > 0,
  standing: () => "bought",
  price: (lot) => ({ label: "Buy now", amount: money(lot.price ?? lot.minimum, lot.currency) }),
  priceLabel: () => "Price per unit",

  interest(lot) {
    if (lot.status === "OPEN" || lot.status === "SCHEDULED")
      return lot.quantity_left ? `${lot.quantity_left} left` : "Sold out";
    return lot.bids ? plural(lot.bids, "purchase") : "No purchases";
  },

  afterClose: (lot) => ({ ...lot, status: "CLOSED", outcome: null }),
  afterFailedSale: () => null,

  bidLine: ({ bidder, quantity = 0 }, { who }) =>
    `${who(bidder)} bought ${quantity > 1 ? plural(quantity, "unit") : "one"}`,
  closeLine: () => "Ended",
  bidAmount: () => "",

  boughtAt: () => "",
  whyUnsold: (lot) => (lot.quantity_left ? "No unit was sold." : "The stock ran out before a sale was complete."),
  soldTo: () => ["This listing has ended", ""],

  rules: (terms) => [
    `Each unit costs ${money(terms.start_price, terms.currency)}; the price is fixed.`,
    `${plural(Number(terms.quantity) || 1, "unit is", "units are")} offered while stock lasts, first come, first served.`,
    terms.pay_within_minutes
      ? `Buying is binding. You have ${duration(terms.pay_within_minutes * 60_000)} after your purchase to pay in the shop, together with other lots and your cart if you like. If you don't, the units are for sale again.`
      : "Buying is binding. After your purchase we reserve the units, check the risk, and then charge your card. If one of these fails, the sale is undone completely, and you pay nothing.",
  ],
};
