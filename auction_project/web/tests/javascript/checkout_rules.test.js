// What a page concludes from a checkout's body.

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  addressLines,
  hasLeft,
  isOf,
  isRunning,
  isSettling,
  leftOf,
} from "../../static/gavel/js/shop/checkout_rules.js";

const CHECKOUT = {
  currency: "EUR",
  lines: [
    { product_id: "p1", title: "Clock", quantity: 2, unit_price: "20.50", price: "41.00", award_id: null },
    { product_id: "p2", title: "Vase", quantity: 1, unit_price: "5.00", price: "5.00", award_id: null },
  ],
};
/** @param {object} [change] */
const cart = (change = {}) => ({
  currency: "EUR",
  awards: [],
  lines: CHECKOUT.lines.map(({ product_id, quantity, unit_price }) => ({
    product_id,
    quantity,
    price: unit_price,
    ...(product_id === "p1" ? change : {}),
  })),
});

test("a checkout is of the cart when lines, quantities, prices and the currency are the same", () => {
  assert.equal(isOf(CHECKOUT, cart()), true);
  assert.equal(isOf(CHECKOUT, { ...cart(), lines: cart().lines.toReversed() }), true);
  for (const change of [{ quantity: 3 }, { price: "21.00" }, { product_id: "p3" }])
    assert.equal(isOf(CHECKOUT, cart(change)), false, JSON.stringify(change));
  assert.equal(isOf(CHECKOUT, { ...cart(), currency: "USD" }), false);
  assert.equal(isOf(CHECKOUT, { ...cart(), lines: cart().lines.slice(1) }), false);
});

test("a checkout with a won lot is of what is wanted when the lot is, and no other of its product", () => {
  const lot = { product_id: "p3", title: "Globe", quantity: 1, unit_price: "9.00", price: "9.00", award_id: "a1" };
  const both = { ...CHECKOUT, lines: [...CHECKOUT.lines, lot] };

  assert.equal(isOf(both, { ...cart(), awards: [{ id: "a1" }] }), true);
  assert.equal(isOf(both, { ...cart(), awards: [{ id: "a2" }] }), false);
  assert.equal(isOf(both, cart()), false);
  assert.equal(isOf(CHECKOUT, { ...cart(), awards: [{ id: "a1" }] }), false);
  const [clock, vase] = cart().lines;
  assert.equal(
    isOf(both, { ...cart(), lines: [clock, vase, { product_id: "p3", quantity: 1, price: "9.00" }] }),
    false,
  );
});

test("a checkout runs until it is paid or over, and settles while others have to answer", () => {
  const states = ["RESERVING", "RESERVED", "PAYING", "PAID", "REFUSED", "ABANDONED", "EXPIRED"];
  assert.deepEqual(states.filter(isRunning), ["RESERVING", "RESERVED", "PAYING"]);
  assert.deepEqual(states.filter(isSettling), ["RESERVING", "PAYING"]);
});

test("of what is short the reader can have what is left, and nothing of what is sold out", () => {
  const shortages = [
    { product_id: "p1", asked: 2, available: 1 },
    { product_id: "p2", asked: 1, available: 0 },
  ];
  assert.deepEqual(leftOf(shortages), [
    { product_id: "p1", quantity: 1 },
    { product_id: "p2", quantity: 0 },
  ]);
  assert.equal(hasLeft({ ...CHECKOUT, shortages }), true);
  assert.equal(hasLeft({ ...CHECKOUT, shortages: shortages.map((one) => ({ ...one, available: 0 })) }), false);
  assert.equal(hasLeft({ ...CHECKOUT, shortages: shortages.slice(1) }), true);
});

test("an address has one line for each part that it has, and the country in full", () => {
  const address = {
    name: "A. Example",
    line1: "Hauptstraße 1",
    line2: "",
    postal_code: "10115",
    city: "Berlin",
    country: "DE",
    phone: "",
  };
  assert.deepEqual(
    addressLines(address, () => "Germany"),
    ["A. Example", "Hauptstraße 1", "10115 Berlin", "Germany"],
  );
  assert.deepEqual(
    addressLines({ ...address, postal_code: "", line2: "Gate 4" }, (code) => code),
    ["A. Example", "Hauptstraße 1", "Gate 4", "Berlin", "DE"],
  );
});
