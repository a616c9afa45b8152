// The public record of one auction: entries from REST (minor units) and from the stream (decimal strings) in one form,
// each once, by seq; and the list that shows them.

import { get, withQuery } from "./api.js";
import { h } from "./dom.js";
import { fromMinor, instant, longDate } from "./format.js";
import { formatOf } from "./formats.js";
import { lineOf } from "./words.js";

const PAGE = 500;
const KEPT = 1_000; // entries before the present seq that are loaded
const SHOWN = 200;
const KINDS = {
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
};

export function fromHistory({ seq, at, hash, facts }, currency) {
  const entry = { ...facts, seq, at, hash, currency };
  for (const name of ["price", "minimum"]) if (name in facts) entry[name] = fromMinor(facts[name], currency);
  if (facts.sale) entry.quantity = facts.sale.quantity;
  return entry;
}

export function fromFrame({ seq, event, data }, currency) {
  return { currency, ...data, seq, kind: KINDS[event] ?? event };
}

export class Record {
  #entries = new Map();

  constructor(auctionId, currency) {
    this.auctionId = auctionId;
    this.currency = currency;
  }

  get last() {
    return Math.max(0, ...this.#entries.keys());
  }

  get all() {
    return [...this.#entries.values()].sort((a, b) => a.seq - b.seq);
  }

  get bids() {
    return this.all.filter((entry) => entry.kind === "bid");
  }

  /** Whether the entry is new. */
  add(entry) {
    if (this.#entries.has(entry.seq)) return false;
    this.#entries.set(entry.seq, entry);
    return true;
  }

  /** Load what is missing up to now, of the last KEPT entries before `seq`. */
  async load(seq) {
    let after = Math.max(this.last, seq - KEPT, 0);
    while (after !== null) {
      const page = await get(withQuery(`/api/v1/auctions/${this.auctionId}/history`, { after, limit: PAGE }), { auth: false });
      for (const entry of page.entries) this.add(fromHistory(entry, this.currency));
      after = page.next;
    }
  }
}

/** Show the record in `list`, newest first; entries that were not there before appear with a motion. */
export function showRecord(list, record, { alias, format, hashes = false }) {
  const known = new Set([...list.children].map((item) => item.dataset.seq));
  const isFirst = known.size === 0;
  const items = record.all.slice(-SHOWN).reverse().map((entry) => item(entry, { alias, format, hashes }));
  for (const element of items) if (!isFirst && !known.has(element.dataset.seq)) element.classList.add("fresh");
  list.replaceChildren(...items);
}

function item(entry, { alias, format, hashes }) {
  const isOwn = entry.kind === "bid" && entry.bidder === alias;
  const price = entry.kind === "bid" ? formatOf({ format }).bidAmount(entry) : "";
  return h(
    "li",
    { class: isOwn ? "own" : null, dataset: { seq: entry.seq } },
    h("time", { datetime: new Date(entry.at).toISOString(), title: longDate(entry.at) }, instant(entry.at)),
    h("span", {}, lineOf(entry, { alias, format })),
    h("span", { class: "figure" }, price),
    hashes && h("code", { class: "hash" }, `#${entry.seq} ${entry.hash.slice(0, 24)}…`),
  );
}
