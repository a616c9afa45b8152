import assert from "node:assert/strict";
import { test } from "node:test";

import { ownPath } from "../../static/gavel/js/own_path.js";

const ORIGIN = "https://gavel.example";

test("a path of this site is itself", () => {
  for (const path of ["/", "/auctions/0a1b?x=1#log", "/sell/auctions/new"]) assert.equal(ownPath(path, ORIGIN), path);
});

test("no path leads to another site, however a browser reads it", () => {
  const paths = [
    "//evil.example/",
    "/\\evil.example/",
    "/\t/evil.example/",
    "/\n/evil.example/",
    "\\\\evil.example/",
    "https://evil.example/",
    "javascript:alert(1)",
    "//[",
    "",
    null,
  ];
  for (const path of paths) assert.equal(ownPath(path, ORIGIN), "", String(path));
});
