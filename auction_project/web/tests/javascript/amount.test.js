// An amount is exactly one number in the reader's format.

import assert from "node:assert/strict";
import { test } from "node:test";

import { forReader, readAmount, signsOf } from "../../static/gavel/js/amount.js";

// [what is typed, currency, locale, what is bid]
const AMOUNTS = [
  ["12", "EUR", "en", "12.00"],
  ["12.5", "EUR", "en", "12.50"],
  ["12.50", "EUR", "en", "12.50"],
  ["1,250.50", "EUR", "en", "1250.50"],
  ["1250.50", "EUR", "en", "1250.50"],
  ["1,250,000", "EUR", "en", "1250000.00"],
  [" 12.50 ", "EUR", "en", "12.50"],
  ["€12.50", "EUR", "en", "12.50"],
  ["€ 12.50", "EUR", "en", "12.50"],
  ["12.50€", "EUR", "en", "12.50"],
  ["12.50 EUR", "EUR", "en", "12.50"],
  ["eur 12.50", "EUR", "en", "12.50"],
  ["$12", "USD", "en", "12.00"],
  ["007", "EUR", "en", "7.00"],
  ["12.345", "EUR", "en", "12.345"], // the server says that EUR has two decimals
  ["1,200", "JPY", "en", "1200"],
  ["1.250,50", "EUR", "de", "1250.50"],
  ["1250,5", "EUR", "de", "1250.50"],
  ["12,50 €", "EUR", "de", "12.50"],
  ["1.250", "EUR", "de", "1250.00"],
  ["1 250,50", "EUR", "fr", "1250.50"],
  ["1\u202f250,50", "EUR", "fr", "1250.50"],
  ["", "EUR", "en", null],
  ["ten", "EUR", "en", null],
  ["500/600", "EUR", "en", null],
  ["1e9", "EUR", "en", null],
  ["10x5", "EUR", "en", null],
  ["10k", "EUR", "en", null],
  ["10 20", "EUR", "en", null],
  ["-5", "EUR", "en", null],
  ["+5", "EUR", "en", null],
  ["1.2.3", "EUR", "en", null],
  ["12.", "EUR", "en", null],
  [".5", "EUR", "en", null],
  ["1,25", "EUR", "en", null], // a decimal comma is not the reader's
  ["12,34,567", "EUR", "en", null],
  ["1,2500", "EUR", "en", null],
  ["1.250,50", "EUR", "en", null],
  ["12.50", "EUR", "de", null],
  ["1,250.50", "EUR", "de", null],
  ["$12", "EUR", "en", null],
  ["12 USD", "EUR", "en", null],
  ["€12€", "EUR", "en", null],
  ["€ EUR 12", "EUR", "en", null],
  ["EUR", "EUR", "en", null],
  ["١٢", "EUR", "en", null],
  ["1".repeat(16), "EUR", "en", null],
];

test("an amount is exactly one number in the reader's format", () => {
  for (const [text, currency, locale, amount] of AMOUNTS)
    assert.equal(readAmount(text, currency, locale), amount, `${text} ${currency} ${locale}`);
  assert.equal(AMOUNTS.length, 47);
});

test("what a button fills in is read back as the same amount", () => {
  for (const locale of ["en", "de", "fr", "de-CH", "sv"])
    assert.equal(readAmount(forReader("1250.50", locale), "EUR", locale), "1250.50");
});

test("a locale has its signs", () => {
  assert.deepEqual(signsOf("en"), { decimal: ".", group: "," });
  assert.deepEqual(signsOf("de"), { decimal: ",", group: "." });
});
