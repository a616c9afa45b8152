// The record of an auction on its pages: loaded by REST, and shown as a list.

import { get, withQuery } from "./api.js";
import { longDate, shortDate } from "./dates.js";
import { h } from "./dom.js";
import { formatOf } from "./formats.js";
import { lineOf } from "./record_lines.js";

/** @import {Entry, FormatName} from "./bodies.d.ts" */
/** @import {AuctionRecord} from "./record.js" */
/** @typedef {{alias: string | null, format: FormatName, currency: string, hashes?: boolean}} View Whose record it is, and whether hashes are shown. */

const MAX_SHOWN = 200;

/**
 * Load what the record lacks up to now.
 * @param {AuctionRecord} record
 * @param {string} auctionId
 * @param {number} seq
 */
export const loadRecord = (record, auctionId, seq) =>
  record.load(seq, (fields) => get(withQuery(`/api/v1/auctions/${auctionId}/history`, fields), { auth: false }));

/**
 * Show the record in `list`, newest first. Entries that were not there before appear with a motion.
 * @param {HTMLElement} list
 * @param {AuctionRecord} record
 * @param {View} view
 */
export function showRecord(list, record, view) {
  const before = new Set([...list.querySelectorAll("li")].map((item) => item.dataset.seq));
  const items = record.all
    .slice(-MAX_SHOWN)
    .reverse()
    .map((entry) => item(entry, view));
  for (const element of items) if (before.size && !before.has(element.dataset.seq)) element.classList.add("fresh");
  list.replaceChildren(...items);
}

/**
 * @param {Entry} entry
 * @param {View} view
 */
function item(entry, { alias, format, hashes = false }) {
  const isBid = entry.kind === "bid";
  return h(
    "li",
    { class: isBid && entry.bidder === alias ? "own" : null, dataset: { seq: entry.seq } },
    h("time", { datetime: new Date(entry.at).toISOString(), title: longDate(entry.at) }, shortDate(entry.at)),
    h("span", {}, lineOf(entry, { alias, format })),
    h("span", { class: "figure" }, isBid ? formatOf({ format }).bidAmount(entry) : ""),
    hashes && h("code", { class: "hash" }, `#${entry.seq} ${entry.hash.slice(0, 24)}…`),
  );
}
