// What each format answers to the pages.

import assert from "node:assert/strict";
import { test } from "node:test";

import { longDate } from "../../static/gavel/js/dates.js";
import { formatOf, rulesOf, termsOf } from "../../static/gavel/js/formats.js";

const english = formatOf({ format: "english" });
const buyNow = formatOf({ format: "buy_now" });
const FIGURES = { increments: { below: [2_000, 10_000], steps: [100, 500, 1_000] } };

const lot = (changed = {}) => ({
  id: "1",
  seq: 3,
  format: "english",
  status: "OPEN",
  outcome: null,
  ended: false,
  currency: "EUR",
  price: "20.00",
  minimum: "25.00",
  bids: 2,
  leader: "Bidder 1",
  quantity_left: 1,
  starts_at: 1_700_000_000_000,
  ends_at: 1_700_000_060_000,
  ...changed,
});

const terms = (changed = {}) => ({
  format: "english",
  currency: "EUR",
  start_price: "20.00",
  starts_at: 1_700_000_000_000,
  ends_at: 1_700_000_060_000,
  has_reserve: false,
  ...changed,
});

test("an auction's price says what it is", () => {
  assert.deepEqual(english.price(lot()), { label: "Current bid", amount: "€20.00" });
  assert.deepEqual(english.price(lot({ price: null, bids: 0 })), { label: "Starts at", amount: "€25.00" });
  assert.deepEqual(english.price(lot({ status: "CLOSED", outcome: "sold" })), { label: "Sold for", amount: "€20.00" });
  assert.deepEqual(english.price(lot({ status: "CLOSED", outcome: "unsold" })), {
    label: "Last bid",
    amount: "€20.00",
  });
  assert.deepEqual(buyNow.price(lot({ price: null, minimum: "40.00" })), { label: "Buy now", amount: "€40.00" });
});

test("an auction leads or outbids, a purchase is a purchase", () => {
  assert.equal(english.standing(lot(), "Bidder 1"), "leading");
  assert.equal(english.standing(lot(), "Bidder 2"), "outbid");
  assert.equal(buyNow.standing(lot(), "Bidder 1"), "bought");
  assert.deepEqual([english.isContest, buyNow.isContest], [true, false]);
});

test("a lot can be bid on while it is open and a unit is left", () => {
  assert.equal(english.canBid(lot()), true);
  assert.equal(english.canBid(lot({ status: "CLOSED" })), false);
  assert.equal(buyNow.canBid(lot({ quantity_left: 1 })), true);
  assert.equal(buyNow.canBid(lot({ quantity_left: 0 })), false);
});

test("interest is bids, or units and purchases", () => {
  assert.equal(english.interest(lot()), "2 bids");
  assert.equal(english.interest(lot({ bids: 0 })), "No bids");
  assert.equal(buyNow.interest(lot({ quantity_left: 3 })), "3 left");
  assert.equal(buyNow.interest(lot({ quantity_left: 0 })), "Sold out");
  assert.equal(buyNow.interest(lot({ status: "CLOSED", bids: 1 })), "1 purchase");
  assert.equal(buyNow.interest(lot({ status: "CLOSED", bids: 0 })), "No purchases");
});

test("a failed sale leaves a runner-up, or an unsold lot", () => {
  const data = { at: 1, hash: "h", leader: "Bidder 2", price: "15.00", ended: false };

  const offered = english.afterFailedSale(lot(), { ...data, next: "runner_up" });
  assert.deepEqual([offered.outcome, offered.leader, offered.price], ["sold", "Bidder 2", "15.00"]);
  const over = english.afterFailedSale(lot(), { ...data, next: "nothing", leader: "", price: "0.00", ended: true });
  assert.deepEqual([over.outcome, over.price, over.ended], ["unsold", null, true]);
  assert.equal(buyNow.afterFailedSale(lot(), { ...data, next: "back_on_sale" }), null);
});

test("the rules say the step at the price and the largest", () => {
  const rules = rulesOf(terms(), FIGURES);

  assert.ok(rules.includes("Bids rise in steps: €5.00 at this price, up to €10.00 as the price grows."));
  assert.equal(
    rules[0],
    `The auction opens on ${longDate(1_700_000_000_000)} and ends on ${longDate(1_700_000_060_000)}, by the server's clock.`,
  );
  assert.ok(rules.includes("You need a card on file to bid."));
  assert.ok(!rulesOf(terms({ card_required: false }), FIGURES).includes("You need a card on file to bid."));
});

test("the rules say the reserve, the soft close and the relistings", () => {
  const text = (changed) => rulesOf(terms(changed), FIGURES).join("\n");

  assert.match(text({ has_reserve: true }), /hidden reserve/);
  assert.match(text({}), /no reserve: the highest bid wins/);
  assert.match(text({}), /The end is fixed/);
  const soft = { window_ms: 120_000, extension_ms: 60_000, cap_total_ms: 3_600_000 };
  assert.match(
    text({ soft_close: soft }),
    /last 2 minutes extends the auction by 1 minute \(1 hour in total at most\)\./,
  );
  assert.match(text({ relistings_left: 2 }), /relisted up to 2 times/);
  assert.doesNotMatch(text({ relistings_left: 0 }), /relisted/);
});

test("the rules of a listing say its price and its units", () => {
  const rules = rulesOf(terms({ format: "buy_now", start_price: "40.00", quantity: 3 }), FIGURES);

  assert.ok(rules.includes("Each unit costs €40.00; the price is fixed."));
  assert.ok(rules.includes("3 units are offered while stock lasts, first come, first served."));
});

test("the rules say how long the buyer may take to pay, and what follows when they do not", () => {
  const text = (changed) => rulesOf(terms(changed), FIGURES).join("\n");
  const days = { pay_within_minutes: 3 * 1440 };

  assert.match(
    text(days),
    /The winner has 3 days after the end to pay in the shop.* next bidder .*, who has as long to pay\./,
  );
  assert.match(text({ ...days, format: "buy_now" }), /You have 3 days after your purchase to pay in the shop/);
  for (const format of ["english", "buy_now"]) {
    assert.doesNotMatch(text({ ...days, format }), /charge/);
    assert.match(text({ format, pay_within_minutes: 0 }), /then charge (the winner's|your) card/);
  }
});

test("the terms of a lot are those that its rules need", () => {
  const { start_price, currency, has_reserve } = termsOf(lot({ terms: { start_price: "20.00" }, has_reserve: true }));

  assert.deepEqual([start_price, currency, has_reserve], ["20.00", "EUR", true]);
});
