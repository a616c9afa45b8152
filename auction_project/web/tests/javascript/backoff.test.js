import assert from "node:assert/strict";
import { test } from "node:test";

import { pauseMs } from "../../static/gavel/js/backoff.js";

test("the pauses grow to 15 seconds, each a quarter more or less", () => {
  const steps = [400, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000];
  for (const [attempt, step] of steps.entries()) {
    for (let i = 0; i < 100; i += 1) {
      const pause = pauseMs(attempt);
      assert.ok(pause >= step * 0.75 && pause <= step * 1.25, `${attempt}: ${pause}`);
    }
  }
});

test("two pages do not wait equally long", () => {
  assert.ok(new Set(Array.from({ length: 50 }, () => pauseMs(5))).size > 40);
});
