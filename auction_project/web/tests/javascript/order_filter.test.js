// The filter of a list of orders.

import assert from "node:assert/strict";
import { test } from "node:test";

import { orderQuery, readOrderFilter } from "../../static/gavel/js/order_filter.js";

test("an address is read, and what is no day is none", () => {
  assert.deepEqual(readOrderFilter(""), { role: "buyer", status: "", from: "", until: "" });
  assert.deepEqual(readOrderFilter("?role=seller&status=SHIPPED&from=2026-11-30&until=soon"), {
    role: "seller",
    status: "SHIPPED",
    from: "2026-11-30",
    until: "",
  });
});

test("a range of days is the reader's, from the first to the end of the last", () => {
  const { placed_from, placed_until } = orderQuery(readOrderFilter("?from=2026-11-29&until=2026-12-31"));
  assert.equal(placed_from, new Date(2026, 10, 29).getTime());
  assert.equal(placed_until, new Date(2027, 0, 1).getTime());
  const open = orderQuery(readOrderFilter(""));
  assert.deepEqual([open.placed_from, open.placed_until], [null, null]);
});
