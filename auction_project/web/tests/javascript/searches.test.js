// A saved search, the filter that saved it and the page that shows it say the same, among offers and among lots.

import assert from "node:assert/strict";
import { test } from "node:test";

import { readLots } from "../../static/gavel/js/lots_filter.js";
import { amongLots, amongOffers, isSameSearch, pageOf, wordsOf } from "../../static/gavel/js/searches.js";
import { readFilter } from "../../static/gavel/js/shop/filters.js";

const offers = (/** @type {string} */ query) => amongOffers(readFilter(query));
const lots = (/** @type {string} */ query) => amongLots(readLots(query));

test("a search of offers is the filter that saved it, and the order of its list does not matter", () => {
  const saved = offers("?q=brass&condition=GOOD&in_stock=true&sort=price");
  assert.deepEqual(saved, {
    among: "offers",
    query: { q: "brass", category: "", condition: "GOOD", currency: "", min_price: "", max_price: "", in_stock: true },
  });
  assert.equal(isSameSearch(saved, offers("?q=brass&condition=GOOD&in_stock=true")), true);
  assert.equal(isSameSearch(saved, offers("?q=brass+clock&condition=GOOD&in_stock=true")), false);
  assert.equal(pageOf(saved), "/shop/search?q=brass&condition=GOOD&in_stock=true");
});

test("a search of lots is the filter that saved it, without what a new lot cannot have", () => {
  const saved = lots(
    "?q=brass&format=buy_now&max_price=50.00&currency=EUR&status=CLOSED&ending_soon=true&order=price&page=2",
  );
  assert.deepEqual(saved, {
    among: "lots",
    query: { q: "brass", format: "buy_now", currency: "EUR", min_price: "", max_price: "50.00" },
  });
  assert.equal(isSameSearch(saved, lots("?q=brass&format=buy_now&max_price=50.00&currency=EUR")), true);
  assert.equal(isSameSearch(saved, lots("?q=brass&format=english&max_price=50.00&currency=EUR")), false);
  assert.equal(pageOf(saved), "/?q=brass&format=buy_now&currency=EUR&max_price=50.00");
});

test("the same words among offers and among lots are two searches", () => {
  assert.equal(isSameSearch(lots("?q=brass"), offers("?q=brass")), false);
  assert.equal(isSameSearch(offers("?q=brass"), lots("?q=brass")), false);
});

test("a search is said in words, and a search of everything has none", () => {
  const offer = offers("?q=brass&category=old-clocks&condition=NEW&max_price=50.00&currency=EUR&in_stock=true");
  assert.equal(wordsOf(offer), "“brass” · in old clocks · New · in stock · up to 50.00 · EUR · in the shop");
  assert.equal(
    wordsOf(lots("?q=brass&format=buy_now&min_price=5.00&currency=EUR")),
    "“brass” · Buy now · from 5.00 · EUR · among the lots",
  );
  assert.deepEqual([wordsOf(offers("?sort=price")), wordsOf(lots("?status=CLOSED&order=price"))], ["", ""]);
});
