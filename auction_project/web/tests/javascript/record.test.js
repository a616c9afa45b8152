// Entries from REST and from the stream in one form, each once.

import assert from "node:assert/strict";
import { test } from "node:test";

import { AuctionRecord, fromFrame, fromHistory } from "../../static/gavel/js/record.js";

const bid = (seq, price = 1000) => ({
  seq,
  at: 1_700_000_000_000 + seq,
  hash: `hash ${seq}`,
  facts: {
    kind: "bid",
    bidder: "Bidder 1",
    leader: "Bidder 1",
    price,
    minimum: price + 100,
    bids: 1,
    reserve_met: true,
  },
});

test("an entry has the same form from REST and from the stream", () => {
  const frame = {
    seq: 4,
    event: "BidPlaced",
    data: {
      at: 1_700_000_000_004,
      hash: "hash 4",
      bidder: "Bidder 1",
      leader: "Bidder 1",
      price: "10.00",
      minimum: "11.00",
      bids: 1,
      reserve_met: true,
      currency: "EUR",
    },
  };

  assert.deepEqual(fromHistory(bid(4), "EUR"), fromFrame(frame, "EUR"));
});

test("a purchase has the quantity of its sale", () => {
  const { facts, ...entry } = bid(2);

  assert.equal(fromHistory({ ...entry, facts: { ...facts, sale: { quantity: 3 } } }, "EUR").quantity, 3);
});

test("amounts have the decimals of the auction's currency", () => {
  assert.equal(fromHistory(bid(2, 1200), "JPY").price, "1200");
  assert.equal(
    fromFrame({ seq: 9, event: "LotSaleFailed", data: { at: 1, hash: "h", currency: "" } }, "JPY").currency,
    "JPY",
  );
});

test("each event has its kind", () => {
  const kinds = {
    AuctionRequested: "requested",
    AuctionScheduled: "scheduled",
    AuctionOpened: "opened",
    BidPlaced: "bid",
    MaximumChanged: "maximum_changed",
    AuctionSoldOut: "sold_out",
    AuctionClosed: "closed",
    AuctionWithdrawn: "cancelled",
    LotSettled: "settled",
    LotSaleFailed: "sale_failed",
    Unheard: "Unheard",
  };
  for (const [event, kind] of Object.entries(kinds))
    assert.equal(fromFrame({ seq: 1, event, data: { at: 1, hash: "h" } }, "EUR").kind, kind);
});

test("an entry that comes twice is in the record once, and the order is that of seq", () => {
  const record = new AuctionRecord("EUR");

  assert.equal(record.add(fromHistory(bid(3), "EUR")), true);
  assert.equal(record.add(fromHistory(bid(2), "EUR")), true);
  assert.equal(record.add(fromHistory(bid(3, 9999), "EUR")), false);
  record.add(fromHistory({ seq: 1, at: 1, hash: "h", facts: { kind: "opened", ends_at: 2 } }, "EUR"));

  assert.deepEqual(
    record.all.map((entry) => entry.seq),
    [1, 2, 3],
  );
  assert.deepEqual(
    record.bids.map((entry) => entry.price),
    ["10.00", "10.00"],
  );
  assert.equal(record.last, 3);
  assert.equal(new AuctionRecord("EUR").last, 0);
});

/** Answers pages of two entries of a log of `count`, and remembers after which seq each began. */
function pages(count, calls) {
  return async ({ after, limit }) => {
    calls.push([after, limit]);
    const entries = [after + 1, after + 2].filter((seq) => seq <= count).map((seq) => bid(seq));
    return { entries, next: after + 2 < count ? after + 2 : null };
  };
}

test("a record loads page by page what it lacks, and nothing twice", async () => {
  const [record, calls] = [new AuctionRecord("EUR"), []];

  await record.load(5, pages(5, calls));
  await record.load(7, pages(7, calls));

  assert.deepEqual(
    record.all.map((entry) => entry.seq),
    [1, 2, 3, 4, 5, 6, 7],
  );
  assert.deepEqual(
    calls.map(([after]) => after),
    [0, 2, 4, 5],
  );
});

test("of a long record the last thousand entries are loaded", async () => {
  const calls = [];

  await new AuctionRecord("EUR").load(5_000, pages(4_002, calls));

  assert.deepEqual(calls, [[4_000, 500]]);
});
