import assert from "node:assert/strict";
import { test } from "node:test";

import { newest } from "../../static/gavel/js/newest.js";

test("only the request that began last is the newest", () => {
  const begin = newest();
  const isFirst = begin();
  assert.ok(isFirst());

  const isSecond = begin();

  assert.ok(!isFirst());
  assert.ok(isSecond());
});

test("two lists do not count each other's requests", () => {
  const [one, other] = [newest(), newest()];
  const isNewest = one();

  other();

  assert.ok(isNewest());
});

test("a refresh makes no request out of date, and is out of date with it", () => {
  const begin = newest();
  const isNewest = begin();
  const isRefreshNewest = begin({ isRefresh: true });
  assert.ok(isNewest() && isRefreshNewest());

  begin();

  assert.ok(!isNewest() && !isRefreshNewest());
});
