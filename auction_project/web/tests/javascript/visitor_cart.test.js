// A visitor's cart: what is stored in the browser may be anything, and prices of today are ours.

import assert from "node:assert/strict";
import { test } from "node:test";

import { asCart, countUnits, MAX_LINES, readLines, withLine } from "../../static/gavel/js/shop/visitor_cart.js";

const CLOCK = {
  product_id: "p1",
  slug: "clock-p1",
  title: "Clock",
  thumbnail: "/clock",
  quantity: 2,
  price: "20.50",
  currency: "EUR",
};
const VASE = { ...CLOCK, product_id: "p2", slug: "vase-p2", title: "Vase", quantity: 1, price: "5.00" };
const OFFER = { ...CLOCK, condition: "GOOD", category: null, available: 9, max_per_order: 5, seller: "house" };

test("a stored text that is no list of lines is an empty cart", () => {
  for (const text of [null, "", "{", "null", "7", '"x"', "{}", "[null]", '[{"product_id": "p1"}]'])
    assert.deepEqual(readLines(text), [], String(text));
});

test("a line with a quantity or a price that is none is left out, and the others stay", () => {
  const broken = [{ quantity: 0 }, { quantity: 1.5 }, { quantity: "2" }, { price: "-1" }, { price: "x" }];
  const stored = [...broken.map((change) => ({ ...CLOCK, ...change })), VASE];
  assert.deepEqual(readLines(JSON.stringify(stored)), [VASE]);
});

test("a line replaces the one of its product, and a quantity of 0 takes it out", () => {
  assert.deepEqual(withLine([CLOCK, VASE], { ...CLOCK, quantity: 3 }), [{ ...CLOCK, quantity: 3 }, VASE]);
  assert.deepEqual(withLine([CLOCK, VASE], { ...CLOCK, quantity: 0 }), [VASE]);
  assert.equal(countUnits([CLOCK, VASE]), 3);
});

test("a cart that is full takes no other product, and more of those in it", () => {
  const full = Array.from({ length: MAX_LINES }, (_, i) => ({ ...CLOCK, product_id: `p${i}` }));
  assert.equal(withLine(full, { ...CLOCK, product_id: "other" }), full);
  assert.equal(withLine(full, { ...CLOCK, product_id: "p7", quantity: 4 })[7]?.quantity, 4);
});

test("a line at the price that the visitor saw has no problem, and the subtotal is exact", () => {
  const cart = asCart(
    [CLOCK, VASE],
    new Map([
      ["p1", OFFER],
      ["p2", { ...OFFER, product_id: "p2", price: "5.00" }],
    ]),
  );
  assert.deepEqual(
    cart.lines.map(({ total, problem }) => [total, problem]),
    [
      ["41.00", null],
      ["5.00", null],
    ],
  );
  assert.deepEqual([cart.subtotal, cart.shipping, cart.total, cart.currency], ["46.00", null, null, "EUR"]);
});

test("the price of today counts, and the line says that it has changed", () => {
  const [line] = asCart([CLOCK], new Map([["p1", { ...OFFER, price: "21.00" }]])).lines;
  assert.deepEqual(
    [line?.problem, line?.seen_price, line?.price, line?.total],
    ["price_changed", "20.50", "21.00", "42.00"],
  );
});

test("what is not for sale does not count, and too many units are said", () => {
  const cart = asCart(
    [CLOCK, { ...VASE, quantity: 9 }],
    new Map([
      ["p1", "none"],
      ["p2", { ...OFFER, price: "5.00", max_per_order: 5 }],
    ]),
  );
  assert.deepEqual(
    cart.lines.map(({ problem }) => problem),
    ["not_for_sale", "too_many"],
  );
  assert.equal(cart.subtotal, "45.00");
});

test("a line of which the offer could not be loaded stays as the visitor saw it", () => {
  const [line] = asCart([CLOCK], new Map([["p1", null]])).lines;
  assert.deepEqual([line?.price, line?.problem, line?.title], ["20.50", null, "Clock"]);
});
