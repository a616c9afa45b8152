// The filter of the list of lots: the address says it, and a change begins at the first page in the right order.

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  addressOfLots,
  changed,
  isAllOpen,
  narrowingLots,
  orderOf,
  queryOfLots,
  readLots,
  widened,
} from "../../static/gavel/js/lots_filter.js";

test("a bare address shows the open lots, and an empty status all of them", () => {
  assert.equal(readLots("").status, "OPEN");
  assert.equal(readLots("?status=").status, "");
  assert.equal(addressOfLots("/", readLots("")), "/");
  assert.equal(addressOfLots("/", readLots("?status=&q=x")), "/?q=x&status=");
});

test("an address is read into the filter that wrote it", () => {
  const query = "?q=brass&status=CLOSED&format=buy_now&ending_soon=true&max_price=50.00&order=price&page=2";
  assert.equal(addressOfLots("/", readLots(query)), `/${query}`);
});

test("a change begins at the first page; another page is a change, too", () => {
  const filter = readLots("?q=x&page=3");
  assert.equal(addressOfLots("/", changed(filter, { format: "english" })), "/?q=x&format=english");
  assert.equal(addressOfLots("/", changed(filter, { page: "4" })), "/?q=x&page=4");
});

test("lots that are over have the latest end first, and another status brings its own order of ends", () => {
  assert.deepEqual(
    ["OPEN", "SCHEDULED", "CLOSED", "SOLD_OUT", ""].map((status) => orderOf(readLots(`?status=${status}`))),
    ["ends_at", "ends_at", "-ends_at", "-ends_at", "ends_at"],
  );
  const filter = readLots("?order=-ends_at");
  assert.equal(orderOf(changed(filter, { status: "SCHEDULED" })), "ends_at");
  assert.equal(orderOf(changed(readLots("?order=price"), { status: "CLOSED" })), "price");
  assert.equal(orderOf(readLots("?order=relevance&q=lamp")), "relevance");
  assert.equal(orderOf(readLots("?order=relevance")), "ends_at");
});

test("a price range names a currency, and the order is always said", () => {
  const query = queryOfLots(readLots("?min_price=5.00"), "USD");
  assert.deepEqual([query.currency, query.order, query.status], ["USD", "ends_at", "OPEN"]);
  assert.equal(queryOfLots(readLots(""), "USD").currency, "");
});

test("what narrows the list is cleared at once; words, status and order stay", () => {
  const filter = readLots("?q=x&status=CLOSED&format=english&ending_soon=true&currency=EUR&min_price=1&order=price");
  assert.equal(narrowingLots(filter), 4);
  assert.equal(addressOfLots("/", widened(filter)), "/?q=x&status=CLOSED&order=price");
});

test("all open lots are shown by no other filter", () => {
  assert.equal(isAllOpen(readLots("?order=price&page=2")), true);
  for (const query of ["?q=x", "?status=", "?format=english", "?ending_soon=true"])
    assert.equal(isAllOpen(readLots(query)), false);
});
