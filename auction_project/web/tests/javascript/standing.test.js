// Every combination of state, outcome, standing and format has its one sentence.

import assert from "node:assert/strict";
import { test } from "node:test";

import { longDate } from "../../static/gavel/js/dates.js";
import { sentence } from "../../static/gavel/js/standing.js";

const STATUSES = ["REQUESTED", "SCHEDULED", "OPEN", "SOLD_OUT", "CLOSED", "CANCELLED"];
const OUTCOMES = [null, "sold", "sold_out", "unsold", "cancelled"];
const STANDINGS = [
  "none",
  "leading",
  "outbid",
  "won",
  "bought",
  "next_in_line",
  "lost",
  "not_sold",
  "failed",
  "cancelled",
];
const FORMATS = ["english", "buy_now"];

const lot = (status, outcome, format, changed = {}) => ({
  status,
  outcome,
  format,
  currency: "EUR",
  price: "95.00",
  minimum: "96.00",
  leader: "Bidder 1",
  bids: 3,
  ends_at: 1_700_000_000_000,
  ended: false,
  has_reserve: true,
  reserve_met: false,
  reason: "The lot was damaged.",
  ...changed,
});

const mine = (standing) => ({ standing, alias: "Bidder 1", maximum: "2000.00" });

const WHILE_OPEN = { leading: "You're the highest bidder", outbid: "You were outbid" };
const OWN = { won: "You won this lot", bought: "You bought this", failed: "Your purchase did not go through" };
const ENDED = { next_in_line: "You're next in line", lost: "You didn't win this lot", not_sold: "Not sold" };
const FIXED = { REQUESTED: "Waiting for stock", SOLD_OUT: "Sold out", CANCELLED: "This auction was cancelled" };

/** The title of a combination, or null. */
function expected(status, outcome, standing, format) {
  if (OWN[standing]) return OWN[standing];
  if (FIXED[status]) return FIXED[status];
  if (status === "SCHEDULED") return null;
  if (status === "OPEN") return WHILE_OPEN[standing] ?? null;
  if (ENDED[standing]) return ENDED[standing];
  if (standing !== "none") return "This auction has ended";
  if (outcome === "unsold") return "Not sold";
  if (outcome === null) return "This auction has ended";
  return format === "english" ? "Sold for €95.00" : "This listing has ended";
}

test("every state, standing and outcome has its one sentence", () => {
  let count = 0;
  for (const status of STATUSES)
    for (const outcome of OUTCOMES)
      for (const standing of STANDINGS)
        for (const format of FORMATS) {
          const words = sentence(lot(status, outcome, format), mine(standing));
          assert.equal(
            words?.title ?? null,
            expected(status, outcome, standing, format),
            `${status} ${outcome} ${standing} ${format}`,
          );
          count += 1;
        }
  assert.equal(count, 600);
});

test("the sentence has the figures of its state", () => {
  const texts = [
    [lot("OPEN", null, "english"), "leading", "Your maximum is €2,000.00. Only you see it."],
    [
      lot("OPEN", null, "english"),
      "outbid",
      "Another bidder's maximum is at least yours. The next bid is €96.00 or more.",
    ],
    [lot("CLOSED", "sold", "english"), "lost", "It was sold for €95.00."],
    [
      lot("CLOSED", "sold", "english"),
      "won",
      "Your price is €95.00. You don't need to do anything: My orders says when your card is charged.",
    ],
    [lot("CLOSED", "sold", "english", { leader: "Bidder 2" }), "failed", "You pay nothing. My orders says why."],
    [lot("CLOSED", "unsold", "english"), "not_sold", "Bidding reached €95.00, below the reserve."],
    [lot("CLOSED", "unsold", "english", { reserve_met: true }), "not_sold", "The sale was cancelled."],
    [lot("CLOSED", "unsold", "english", { bids: 0 }), "none", "There was no bid."],
    [lot("CLOSED", "sold", "english"), "none", "The buyer is Bidder 1."],
    [lot("CANCELLED", "cancelled", "english"), "none", "Reason: The lot was damaged."],
    [
      lot("CANCELLED", "cancelled", "english"),
      "cancelled",
      "Reason: The lot was damaged. Your bids no longer count; you won't be charged.",
    ],
    [lot("CANCELLED", "cancelled", "buy_now"), "bought", "The auction was cancelled since; your purchase goes on."],
    [lot("SOLD_OUT", "sold_out", "buy_now", { ended: true }), "none", ""],
  ];
  for (const [body, standing, text] of texts) assert.equal(sentence(body, mine(standing))?.text, text);
});

test("who has time to pay reads until when, and where; then that it is paid, or was not", () => {
  const later = lot("CLOSED", "sold", "english", { terms: { pay_within_minutes: 1440 } });
  const award = (state) => ({ state, pay_by: 1_700_000_000_000, order_number: state === "PAID" ? "GV-7" : null });
  /** @param {string} standing @param {string | null} state */
  const words = (standing, state) => {
    const { title, text, link, href } = sentence(later, mine(standing), state ? award(state) : null);
    return [title, text, link && `${link} ${href}`];
  };
  const by = longDate(1_700_000_000_000);

  assert.deepEqual(words("won", "DUE"), [
    "You won this lot",
    `Your price is €95.00. Pay it by ${by}, together with other lots and your cart if you like.`,
    "Pay it in your cart /cart",
  ]);
  assert.equal(words("bought", "DUE")[0], "You bought this");
  assert.deepEqual(words("won", "PAYING").slice(1), [
    "Your price is €95.00. Your payment is under way.",
    "Track it in My orders /orders",
  ]);
  assert.deepEqual(words("won", "PAID").slice(1), [
    "Your price is €95.00. It is paid.",
    "Open order GV-7 /orders/GV-7",
  ]);
  for (const standing of ["won", "failed"])
    assert.deepEqual(words(standing, "LAPSED"), [
      "You did not pay in time",
      "You pay nothing, and the lot goes to another buyer.",
      "",
    ]);
  assert.match(words("won", null)[1], /In a moment you can pay it in your cart\.$/);
  assert.match(words("next_in_line", null)[1], /don't pay in time, .* have 1 day to pay\.$/);
});

test("a visitor reads about the lot alone", () => {
  assert.equal(sentence(lot("OPEN", null, "english"), null), null);
  assert.equal(sentence(lot("CLOSED", "sold", "english"), null)?.title, "Sold for €95.00");
});
