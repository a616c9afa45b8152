// The tree of categories.

import assert from "node:assert/strict";
import { test } from "node:test";

import { childrenOf, pathTo, topOf } from "../../static/gavel/js/shop/categories.js";

/** @param {string} slug @param {string | null} parent */
const category = (slug, parent) => ({ slug, name: slug, parent, offers: 1 });
const ALL = [category("home", null), category("clocks", "home"), category("mantel", "clocks"), category("art", null)];

test("the way to a category begins at the top and ends with it", () => {
  assert.deepEqual(
    pathTo(ALL, "mantel").map(({ slug }) => slug),
    ["home", "clocks", "mantel"],
  );
  assert.deepEqual(pathTo(ALL, "unknown"), []);
});

test("a circle in what the server sends does not hang the page", () => {
  const circle = [category("a", "b"), category("b", "a")];
  assert.deepEqual(
    pathTo(circle, "a").map(({ slug }) => slug),
    ["b", "a"],
  );
});

test("the top has no parent, or one that is not there", () => {
  assert.deepEqual(
    topOf([...ALL, category("lost", "gone")]).map(({ slug }) => slug),
    ["home", "art", "lost"],
  );
  assert.deepEqual(
    childrenOf(ALL, "home").map(({ slug }) => slug),
    ["clocks"],
  );
});
