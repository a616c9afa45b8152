// The two styles of an instant. The reader's locale here is that of Node, so the tests compare parts that every locale has.

import assert from "node:assert/strict";
import { test } from "node:test";

import { clockTime, longDate, READER, shortDate } from "../../static/gavel/js/dates.js";

const NOW = new Date(2026, 10, 28, 14, 5, 9).getTime();
const DAY_MS = 86_400_000;

/** The parts of a date in the reader's locale. */
const parts = (ms, options) => new Intl.DateTimeFormat(READER, options).format(ms);

test("the short style gives the time of today, and day and time of this year", () => {
  assert.equal(shortDate(NOW, NOW), clockTime(NOW));
  assert.match(shortDate(NOW, NOW), /05\D09/);
  const earlier = NOW - 3 * DAY_MS;
  assert.equal(
    shortDate(earlier, NOW),
    parts(earlier, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" }),
  );
  assert.doesNotMatch(shortDate(earlier, NOW), /2026/);
});

test("the short style gives the year, and no time, of another year", () => {
  const lastYear = NOW - 365 * DAY_MS;

  assert.match(shortDate(lastYear, NOW), /2025/);
  assert.doesNotMatch(shortDate(lastYear, NOW), /05/);
});

test("midnight parts today from yesterday", () => {
  const midnight = new Date(2026, 10, 28).getTime();

  assert.equal(shortDate(midnight, NOW), clockTime(midnight));
  assert.notEqual(shortDate(midnight - 1, NOW), clockTime(midnight - 1));
});

test("the long style gives day, month, year and time", () => {
  assert.match(longDate(NOW), /2026/);
  assert.match(longDate(NOW), /28/);
  assert.match(longDate(NOW), /05/);
});
