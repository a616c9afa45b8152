// The filter of a list of offers and the address of its page say the same.

import assert from "node:assert/strict";
import { test } from "node:test";

import { filterFields, withCurrency } from "../../static/gavel/js/filter_fields.js";
import { addressOf, narrowing, readFilter, widened } from "../../static/gavel/js/shop/filters.js";

test("an address is read into the filter that wrote it", () => {
  const query = "?q=brass+clock&condition=GOOD&min_price=5.00&in_stock=true&sort=-price";
  const filter = readFilter(query);
  assert.deepEqual(
    [filter.q, filter.condition, filter.min_price, filter.category],
    ["brass clock", "GOOD", "5.00", ""],
  );
  assert.equal(addressOf("/shop/search", filter), `/shop/search${query}`);
});

test("what the page itself says is not in its address, and an address cannot change it", () => {
  const fixed = { category: "clocks" };
  const filter = readFilter("?category=art&q=x", fixed);
  assert.equal(filter.category, "clocks");
  assert.equal(addressOf("/shop/c/clocks", filter, fixed), "/shop/c/clocks?q=x");
  assert.equal(addressOf("/shop/c/clocks", readFilter("", fixed), fixed), "/shop/c/clocks");
});

test("a price range names a currency, and nothing else needs one", () => {
  assert.equal(withCurrency(readFilter("?min_price=5"), "EUR").currency, "EUR");
  assert.equal(withCurrency(readFilter("?max_price=5&currency=USD"), "EUR").currency, "USD");
  assert.equal(withCurrency(readFilter("?q=x&sort=price"), "EUR").currency, "");
});

test("a default is not in the address, and what differs from it is, even if it is empty", () => {
  const { read, addressOf: address } = filterFields(["q", "status"], [], { status: "OPEN" });
  assert.deepEqual(read("?q=x"), { q: "x", status: "OPEN" });
  assert.equal(address("/", read("")), "/");
  assert.equal(address("/", { q: "", status: "" }), "/?status=");
  assert.deepEqual(read("?status="), { q: "", status: "" });
});

test("what narrows a list is counted and can be cleared; words, order and the page's own filter stay", () => {
  const fixed = { category: "clocks" };
  const filter = readFilter("?q=x&sort=price&condition=NEW&in_stock=true&max_price=9", fixed);
  assert.equal(narrowing(filter, fixed), 3);
  const wide = widened(filter, fixed);
  assert.equal(narrowing(wide, fixed), 0);
  assert.deepEqual([wide.q, wide.sort, wide.category], ["x", "price", "clocks"]);
});
