// Money and spans as people read them.

import assert from "node:assert/strict";
import { test } from "node:test";

import { decimalsOf, duration, fromMinor, money, plural, signOf, span, toMinor } from "../../static/gavel/js/format.js";

test("money groups thousands, and has the sign of its currency", () => {
  assert.equal(money("1250.50", "EUR"), "€1,250.50");
  assert.equal(money("0.05", "USD"), "$0.05");
  assert.equal(money("1200", "JPY"), "¥1,200");
  assert.equal(money("7.00", "CHF"), "CHF\u00a07.00");
  assert.equal(money("900719925474099312.34", "EUR"), "€900,719,925,474,099,312.34");
  assert.equal(money(null, "EUR"), "–");
  assert.equal(money(undefined, "EUR"), "–");
  assert.equal(signOf("EUR"), "€");
});

test("minor units and decimal strings are one another's inverse", () => {
  for (const [amount, currency, minor] of [
    ["12.50", "EUR", 1250],
    ["0.05", "EUR", 5],
    ["0.00", "EUR", 0],
    ["1200", "JPY", 1200],
  ]) {
    assert.equal(toMinor(amount, currency), minor);
    assert.equal(fromMinor(minor, currency), amount);
  }
  assert.equal(toMinor("12", "EUR"), 1200);
  assert.equal(toMinor("12.5", "EUR"), 1250);
  assert.deepEqual([decimalsOf("EUR"), decimalsOf("JPY")], [2, 0]);
});

test("a span counts down in its two largest units", () => {
  const [second, hour] = [1_000, 3_600_000];
  assert.equal(span(52 * hour), "2 d 4 h");
  assert.equal(span(47 * hour), "47 h 0 min");
  assert.equal(span(3 * hour + 20 * 60 * second), "3 h 20 min");
  assert.equal(span(725 * second), "12:05");
  assert.equal(span(8_001), "0:09");
  assert.equal(span(0), "0:00");
  assert.equal(span(-5 * second), "0:00");
});

test("a duration is said in words", () => {
  assert.equal(duration(120_000), "2 minutes");
  assert.equal(duration(3_600_000), "1 hour");
  assert.equal(duration(90_061_000), "1 day 1 hour");
  assert.equal(duration(400), "0 seconds");
});

test("a count agrees with its noun", () => {
  assert.equal(plural(1, "bid"), "1 bid");
  assert.equal(plural(0, "bid"), "0 bids");
  assert.equal(plural(1_234, "bid"), "1,234 bids");
  assert.equal(plural(2, "unit is", "units are"), "2 units are");
});
