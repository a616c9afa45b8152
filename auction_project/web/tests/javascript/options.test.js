// The keyboard in a list of suggestions.

import assert from "node:assert/strict";
import { test } from "node:test";

import { distinct, moved, TEXT } from "../../static/gavel/js/options.js";

test("the arrows go round, by way of the text that was typed", () => {
  const down = [TEXT, 0, 1, 2].map((active) => moved("ArrowDown", active, 3));
  const up = [TEXT, 2, 1, 0].map((active) => moved("ArrowUp", active, 3));
  assert.deepEqual(down, [0, 1, 2, TEXT]);
  assert.deepEqual(up, [2, 1, 0, TEXT]);
});

test("other keys, and arrows without options, move nothing", () => {
  assert.equal(moved("Enter", 1, 3), null);
  assert.equal(moved("Home", 1, 3), null);
  assert.equal(moved("ArrowDown", TEXT, 0), null);
});

test("of texts that differ in their case alone the last stays, at the place of the first", () => {
  assert.deepEqual(distinct(["brass clock", "brass", "Brass clock"]), ["Brass clock", "brass"]);
});
