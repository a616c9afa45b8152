// The words of the pages for sellers, and the order of pictures.

import assert from "node:assert/strict";
import { test } from "node:test";

import { movedTo, offerState } from "../../static/gavel/js/selling/wording.js";

test("an offer is published, or is not, or is none", () => {
  assert.deepEqual(offerState({ published: true }), ["In the shop", "good"]);
  assert.deepEqual(offerState({ published: false }), ["Not published", "warn"]);
  assert.deepEqual(offerState(null), ["No offer", ""]);
});

test("a picture is moved to its place, and the others keep their order", () => {
  const list = ["a", "b", "c", "d"];

  assert.deepEqual(movedTo(list, 0, 1), ["b", "a", "c", "d"]);
  assert.deepEqual(movedTo(list, 3, 0), ["d", "a", "b", "c"]);
  assert.deepEqual(movedTo(list, 1, 3), ["a", "c", "d", "b"]);
  assert.deepEqual(list, ["a", "b", "c", "d"]);
});

test("what has no place to go to stays where it is", () => {
  const list = ["a", "b"];

  for (const [from, to] of [
    [0, -1],
    [1, 2],
    [-1, 0],
    [0, 0],
  ])
    assert.equal(movedTo(list, from, to), list);
});
