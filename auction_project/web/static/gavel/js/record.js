// The public record of one auction: entries from REST (minor units) and from the stream (decimal strings) in one form, each
// once, by seq. Pure; record_list.js loads and shows it.

import { fromMinor } from "./format.js";

/** @import {Entry, EntryKind, Frame, FrameData, FrameEvent, History, HistoryEntry} from "./bodies.d.ts" */

const PAGE_SIZE = 500;
const MAX_LOADED = 1_000; // entries before the present seq

/** @type {Record<FrameEvent, EntryKind>} */
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

/**
 * @param {HistoryEntry} entry
 * @param {string} currency
 * @returns {Entry}
 */
export function fromHistory({ seq, at, hash, facts }, currency) {
  const { price, minimum, sale, ...rest } = /** @type {Record<string, any>} */ (facts);
  return {
    .../** @type {FrameData & {kind: EntryKind}} */ (rest),
    ...(price === undefined ? {} : { price: fromMinor(price, currency) }),
    ...(minimum === undefined ? {} : { minimum: fromMinor(minimum, currency) }),
    ...(sale ? { quantity: sale.quantity } : {}),
    seq,
    at,
    hash,
    currency,
  };
}

/**
 * @param {Pick<Frame, "seq" | "event" | "data">} frame
 * @param {string} currency
 * @returns {Entry}
 */
export function fromFrame({ seq, event, data }, currency) {
  return { ...data, currency: data.currency || currency, seq, kind: KINDS[event] ?? event };
}

export class AuctionRecord {
  /** @type {Map<number, Entry>} */
  #entries = new Map();

  /** The currency of the auction. @param {string} currency */
  constructor(currency) {
    this.currency = currency;
  }

  /** The newest seq, or 0. */
  get last() {
    return Math.max(0, ...this.#entries.keys());
  }

  /** The entries, oldest first. */
  get all() {
    return [...this.#entries.values()].sort((a, b) => a.seq - b.seq);
  }

  get bids() {
    return this.all.filter((entry) => entry.kind === "bid");
  }

  /** Whether the entry is new. @param {Entry} entry */
  add(entry) {
    if (this.#entries.has(entry.seq)) return false;
    this.#entries.set(entry.seq, entry);
    return true;
  }

  /**
   * Add what is missing up to now, of the last MAX_LOADED entries before `seq`.
   * @param {number} seq
   * @param {(fields: {after: number, limit: number}) => Promise<History>} fetchPage
   */
  async load(seq, fetchPage) {
    /** @type {number | null} */
    let after = Math.max(this.last, seq - MAX_LOADED, 0);
    while (after !== null) {
      /** @type {History} */
      const page = await fetchPage({ after, limit: PAGE_SIZE });
      for (const entry of page.entries) this.add(fromHistory(entry, this.currency));
      after = page.next;
    }
  }
}
