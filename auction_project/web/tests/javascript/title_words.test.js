// The words by which lots like a lot are searched.

import assert from "node:assert/strict";
import { test } from "node:test";

import { wordsOf } from "../../static/gavel/js/title_words.js";

test("the two longest words of a title are searched, without commas and brackets", () => {
  assert.deepEqual(wordsOf("Brass sextant, London (about 1820)"), ["sextant", "London"]);
  assert.deepEqual(wordsOf("Öl auf Leinwand"), ["Leinwand"]);
  assert.deepEqual(wordsOf("Lamp Lamp lamps"), ["lamps", "Lamp"]);
});

test("a title without a long word is not searched", () => {
  assert.deepEqual(wordsOf(""), []);
  assert.deepEqual(wordsOf("Box of 12"), []);
});
