// What goes into one order of won lots and a cart, and how the address of the checkout says it.

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  CART,
  checkoutPath,
  choose,
  isAboutAwards,
  readWish,
  subtotalOf,
  wantedOf,
  wishOf,
  wishPath,
} from "../../static/gavel/js/shop/awards.js";

const award = (id, changed = {}) => ({
  id,
  auction_id: `lot-${id}`,
  product_id: `of-${id}`,
  price: "50.00",
  currency: "EUR",
  quantity: 1,
  ...changed,
});
const LINE = { product_id: "p1", total: "41.00", quantity: 2, problem: null };
const cart = (awards, lines = [LINE]) => ({
  lines,
  awards,
  currency: lines.length ? "EUR" : null,
  subtotal: "41.00",
  shipping: "4.90",
  total: "45.90",
});
const ids = ({ awards }) => awards.map(({ id }) => id);
const nothing = new Set();

test("lots and the cart are one order, and so are lots alone", () => {
  const all = choose(cart([award("a"), award("b")]), nothing);
  assert.deepEqual([all.lines.length, ids(all), all.currency, subtotalOf(all)], [1, ["a", "b"], "EUR", "141.00"]);
  const lots = choose(cart([award("a", { currency: "USD" })], []), nothing);
  assert.deepEqual([lots.lines.length, ids(lots), lots.currency, subtotalOf(lots)], [0, ["a"], "USD", "50.00"]);
  const none = choose(cart([], []), nothing);
  assert.deepEqual([none.currency, subtotalOf(none)], [null, null]);
});

test("a lot in another currency than the cart needs an order of its own, until the cart is left out", () => {
  const both = cart([award("a", { currency: "USD" }), award("b")]);

  const together = choose(both, nothing);
  assert.deepEqual([ids(together), [...together.apart]], [["b"], [["a", "currency"]]]);
  const alone = choose(both, new Set([CART]));
  assert.deepEqual([alone.lines, ids(alone), alone.currency], [[], ["a"], "USD"]);
  assert.deepEqual([...alone.apart], [["b", "currency"]]);
  const other = choose(both, new Set([CART, "a"]));
  assert.deepEqual([ids(other), [...other.apart]], [["b"], [["a", "left"]]]);
});

test("a lot that is left out and does not fit says why it does not", () => {
  const both = cart([award("a", { currency: "USD" })]);
  assert.deepEqual([...choose(both, new Set(["a"])).apart], [["a", "currency"]]);
});

test("a cart without won lots cannot be left out", () => {
  assert.deepEqual(choose(cart([]), new Set([CART])).lines, [LINE]);
});

test("one order has each product once, whether it is in the cart or in two lots", () => {
  const inCart = choose(cart([award("a", { product_id: "p1" })]), nothing);
  assert.deepEqual([ids(inCart), [...inCart.apart]], [[], [["a", "product"]]]);
  const twice = cart([award("a", { product_id: "p2" }), award("b", { product_id: "p2" })]);
  assert.deepEqual([...choose(twice, nothing).apart], [["b", "product"]]);
  assert.deepEqual(ids(choose(twice, new Set(["a"]))), ["b"]);
});

test("what is not for sale any more does not count", () => {
  const gone = { ...LINE, product_id: "p2", total: "9.00", problem: "not_for_sale" };
  assert.equal(subtotalOf(choose(cart([award("a")], [LINE, gone]), nothing)), "91.00");
});

test("the address of a checkout says what it is of", () => {
  assert.equal(checkoutPath({ lines: [LINE], awards: [] }), "/checkout");
  assert.equal(checkoutPath({ lines: [LINE], awards: [award("a"), award("b")] }), "/checkout?award=a&award=b&cart=1");
  assert.equal(checkoutPath({ lines: [], awards: [award("a")] }), "/checkout?award=a");
  for (const wish of [
    { ids: [], hasCart: true },
    { ids: ["a"], hasCart: false },
    { ids: ["a", "b"], hasCart: true },
  ])
    assert.deepEqual(readWish(new URL(wishPath(wish), "https://gavel.example").search), wish);
  assert.deepEqual(readWish("?award=a&award=a").ids, ["a"]);
});

test("what is wanted has the lots that can still be paid, and says how many cannot", () => {
  const known = cart([award("a"), award("b")]);

  const { wanted, gone } = wantedOf(known, { ids: ["a", "x"], hasCart: true });
  assert.deepEqual([ids(wanted), wanted.lines.length, gone], [["a"], 1, 1]);
  assert.deepEqual([wanted.subtotal, wanted.shipping, wanted.total, wanted.currency], ["91.00", null, null, "EUR"]);
  assert.deepEqual(wantedOf(known, { ids: ["a"], hasCart: false }).wanted.lines, []);
  const ofCart = wantedOf(known, { ids: [], hasCart: true }).wanted;
  assert.deepEqual([ids(ofCart), ofCart.total], [[], "45.90"]);
  assert.equal(wantedOf(known, { ids: ["x"], hasCart: false }).wanted.currency, null);
});

test("another checkout of the same has its lots, and the cart when it had lines of it", () => {
  assert.deepEqual(wishOf([{ award_id: "a" }]), { ids: ["a"], hasCart: false });
  assert.deepEqual(wishOf([{ award_id: null }, { award_id: "a" }]), { ids: ["a"], hasCart: true });
  assert.deepEqual(wishOf([{ award_id: null }]), { ids: [], hasCart: true });
});

test("isAboutAwards tells the news of won lots from those of other sales", () => {
  assert.equal(isAboutAwards({ kind: "won", data: { pay_by_at: 1 } }), true);
  assert.equal(isAboutAwards({ kind: "won", data: { pay_by_at: 0 } }), false);
  assert.equal(isAboutAwards({ kind: "lot_paid", data: {} }), true);
  assert.equal(isAboutAwards({ kind: "order_cancelled", data: { reason: "unpaid" } }), true);
  assert.equal(isAboutAwards({ kind: "order_cancelled", data: { reason: "operator" } }), false);
});
