// The shop's words.

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  changeOf,
  conditionWord,
  countWord,
  mostOf,
  obstacleText,
  shortageText,
  stockOf,
} from "../../static/gavel/js/shop/wording.js";

const LINE = {
  product_id: "p1",
  slug: "clock",
  title: "Clock",
  thumbnail: "",
  quantity: 9,
  seen_price: "20.50",
  price: "21.00",
  currency: "EUR",
  total: "189.00",
  max_per_order: 5,
};

test("few units are counted, many are in stock, and none are sold out", () => {
  assert.deepEqual(
    [0, 1, 5, 6].map((available) => stockOf({ available })[0]),
    ["Sold out", "Only 1 left", "Only 5 left", "In stock"],
  );
  assert.equal(mostOf({ available: 3, max_per_order: 5 }), 3);
  assert.equal(mostOf({ available: 30, max_per_order: 5 }), 5);
  assert.equal(mostOf({ available: -1, max_per_order: 5 }), 0);
});

test("a change says both figures, and its button what is accepted", () => {
  assert.deepEqual(changeOf({ ...LINE, problem: "price_changed" }), {
    text: "The price has changed from €20.50 to €21.00.",
    accept: "Accept €21.00",
  });
  assert.deepEqual(changeOf({ ...LINE, problem: "too_many" }), {
    text: "One order may have at most 5 units.",
    accept: "Take 5",
  });
  assert.equal(changeOf({ ...LINE, problem: "not_for_sale" })?.accept, "");
  assert.equal(changeOf({ ...LINE, problem: null }), null);
});

test("a shortage names the product and what is left of it", () => {
  assert.equal(
    shortageText("Clock", { product_id: "p1", asked: 3, available: 1 }),
    "Clock: 1 left of the 3 that you wanted.",
  );
  assert.equal(shortageText("Clock", { product_id: "p1", asked: 3, available: 0 }), "Clock: sold out.");
});

test("a count that is a lower bound says so", () => {
  assert.equal(countWord({ total: 1, total_is_capped: false }), "1 offer");
  assert.equal(countWord({ total: 1000, total_is_capped: true }), "More than 1,000 offers");
});

test("a condition has a word, also one that this page does not know", () => {
  assert.equal(conditionWord("LIKE_NEW"), "Like new");
  assert.equal(conditionWord("MINT"), "MINT");
});

test("a lot that needs an order of its own says why, and what the reader can do", () => {
  assert.equal(
    obstacleText({ currency: "USD" }, "currency", "EUR"),
    "One order has one currency. This lot is in USD, and the rest is in EUR: leave that out, or pay this lot by itself.",
  );
  assert.match(obstacleText({ currency: "EUR" }, "product", "EUR"), /each product once, .* pay this lot by itself\.$/);
  assert.equal(obstacleText({ currency: "EUR" }, "left", "EUR"), "");
  assert.equal(obstacleText({ currency: "EUR" }, undefined, "EUR"), "");
});
