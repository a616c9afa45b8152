// Why an order was cancelled: no reader sees the code of a cause.

import assert from "node:assert/strict";
import { test } from "node:test";

import { inSentence } from "../../static/gavel/js/reasons.js";

test("a code, words and a sentence are each shown as one sentence", () => {
  assert.equal(inSentence("stock_refused"), "The item is no longer in stock.");
  assert.equal(inSentence("the payment was declined"), "The payment was declined.");
  assert.equal(inSentence("The sale is undone."), "The sale is undone.");
});
