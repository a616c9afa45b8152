// One line in words for each kind of entry, for the reader whose alias is "Bidder 1".

import assert from "node:assert/strict";
import { test } from "node:test";

import { shortDate } from "../../static/gavel/js/dates.js";
import { lineOf } from "../../static/gavel/js/record_lines.js";

const ENDS_AT = 1_700_000_000_000;
const line = (entry, { alias = "Bidder 1", format = "english" } = {}) =>
  lineOf({ currency: "EUR", ...entry }, { alias, format });

test("each kind of entry has its line", () => {
  const lines = [
    [{ kind: "requested" }, "Waiting for stock"],
    [{ kind: "scheduled" }, "Listed"],
    [{ kind: "opened", ends_at: ENDS_AT }, `Opened; ends ${shortDate(ENDS_AT)}`],
    [{ kind: "bid", bidder: "Bidder 2", leader: "Bidder 2" }, "Bidder 2 leads"],
    [{ kind: "bid", bidder: "Bidder 1", leader: "Bidder 1" }, "You lead"],
    [{ kind: "bid", bidder: "Bidder 1", leader: "Bidder 2" }, "You were outbid by Bidder 2's maximum"],
    [{ kind: "bid", bidder: "Bidder 2", leader: "Bidder 1" }, "Bidder 2 was outbid by your maximum"],
    [{ kind: "bid", bidder: "Bidder 2", leader: "Bidder 3" }, "Bidder 2 was outbid by Bidder 3's maximum"],
    [{ kind: "maximum_changed", leader: "Bidder 1" }, "You changed your maximum"],
    [{ kind: "maximum_changed", leader: "Bidder 2" }, "Bidder 2 changed their maximum"],
    [{ kind: "sold_out" }, "Sold out"],
    [{ kind: "cancelled", reason: "Damaged." }, "Cancelled: Damaged."],
    [{ kind: "closed", winner: "Bidder 1", price: "95.00" }, "Ended: You won at €95.00"],
    [{ kind: "closed", winner: "Bidder 2", price: "95.00" }, "Ended: Bidder 2 won at €95.00"],
    [{ kind: "closed", winner: "", reserve_met: false }, "Ended: the reserve was not met"],
    [{ kind: "closed", winner: "", reserve_met: true }, "Ended without a bid"],
    [{ kind: "settled" }, "Paid"],
    [{ kind: "sale_failed", next: "runner_up" }, "Sale cancelled, offered to the next bidder"],
    [{ kind: "sale_failed", next: "back_on_sale" }, "Sale cancelled, back in stock"],
    [{ kind: "sale_failed", next: "relist" }, "Sale cancelled, the lot is listed again"],
    [{ kind: "sale_failed", next: "nothing" }, "Sale cancelled"],
    [{ kind: "unheard" }, "unheard"],
  ];
  for (const [entry, text] of lines) assert.equal(line(entry), text);
});

test("a purchase says how many", () => {
  const purchase = { kind: "bid", bidder: "Bidder 1", leader: "" };

  assert.equal(line({ ...purchase, quantity: 1 }, { format: "buy_now" }), "You bought one");
  assert.equal(line({ ...purchase, quantity: 3 }, { format: "buy_now", alias: "Bidder 2" }), "Bidder 1 bought 3 units");
  assert.equal(line({ kind: "closed" }, { format: "buy_now" }), "Ended");
});

test("without an alias no line is about the reader", () => {
  assert.equal(line({ kind: "bid", bidder: "Bidder 1", leader: "Bidder 1" }, { alias: null }), "Bidder 1 leads");
});
