// When a lot opens or ends, as a card and a lot's page show it.

import assert from "node:assert/strict";
import { test } from "node:test";

import { timing } from "../../static/gavel/js/states.js";

const NOW = 1_700_000_000_000;
const lot = (status, ends_at) => ({ status, ends_at, starts_at: NOW - 60_000 });

test("an open lot counts down, and closes at its end", () => {
  assert.equal(timing(lot("OPEN", NOW + 61_000), NOW).label, "Ends in");
  assert.equal(timing(lot("OPEN", NOW - 1), NOW).text, "Closing …");
});

test("a lot that takes no bids counts down to no end", () => {
  for (const [status, text] of [
    ["SOLD_OUT", "Sold out"],
    ["CANCELLED", "Cancelled"],
  ])
    assert.deepEqual(timing(lot(status, NOW + 61_000), NOW), { label: "Ended", text, isSoon: false });
});

test("an end that is to come is no end that was", () => {
  assert.deepEqual(timing(lot("CLOSED", NOW + 61_000), NOW), { label: "Ended", text: "Early", isSoon: false });
  assert.notEqual(timing(lot("CLOSED", NOW - 61_000), NOW).text, "Early");
});
