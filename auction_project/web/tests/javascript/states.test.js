// The word of every state and of every standing.

import assert from "node:assert/strict";
import { test } from "node:test";

import { nameOf, standingWord, stateOf } from "../../static/gavel/js/states.js";

test("a closed lot says how it ended, and until that is decided, that it ended", () => {
  assert.deepEqual(stateOf({ status: "CLOSED", outcome: "sold" }), ["Sold", "good"]);
  assert.deepEqual(stateOf({ status: "CLOSED", outcome: "unsold" }), ["Not sold", ""]);
  assert.deepEqual(stateOf({ status: "CLOSED", outcome: null }), ["Ended", ""]);
});

test("an outcome changes no other state's word", () => {
  const words = {
    NEW: "New",
    REQUESTED: "Waiting for stock",
    SCHEDULED: "Coming up",
    OPEN: "Open",
    SOLD_OUT: "Sold out",
    CANCELLED: "Cancelled",
  };
  for (const [status, word] of Object.entries(words)) {
    for (const outcome of [null, "sold", "sold_out", "unsold", "cancelled"])
      assert.equal(stateOf({ status, outcome })[0], word);
  }
});

test("each standing has its word", () => {
  const words = {
    none: "No bid",
    leading: "Leading",
    outbid: "Outbid",
    won: "Won",
    bought: "Bought",
    next_in_line: "Next in line",
    lost: "Not won",
    not_sold: "Not sold",
    failed: "Failed",
    cancelled: "Cancelled",
  };
  for (const [standing, word] of Object.entries(words)) assert.equal(standingWord(standing)[0], word);
});

test("what this page does not know is its own word", () => {
  assert.deepEqual(stateOf({ status: "PAUSED", outcome: null }), ["PAUSED", ""]);
  assert.deepEqual(standingWord("puzzled"), ["puzzled", ""]);
});

test("a lot has its title as soon as inventory has accepted it", () => {
  assert.equal(nameOf({ title: "Globe", status: "CANCELLED" }), "Globe");
  assert.equal(nameOf({ title: "", status: "REQUESTED" }), "Waiting for stock");
  assert.equal(nameOf({ title: "", status: "CANCELLED" }), "Lot that was never listed");
});
