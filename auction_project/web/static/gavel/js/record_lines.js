// One line in words for each kind of entry of an auction's record. Pure.

import { shortDate } from "./dates.js";
import { formatOf } from "./formats.js";

/** @import {Entry, FormatName, NextStep} from "./bodies.d.ts" */

/** What follows a failed sale. @type {Record<NextStep, string>} */
const NEXT_STEPS = {
  runner_up: ", offered to the next bidder",
  back_on_sale: ", back in stock",
  relist: ", the lot is listed again",
  nothing: "",
};

/**
 * The line of an entry for the reader whose alias is `alias`. A kind that this page does not know is its own word.
 * @param {Entry} entry
 * @param {{alias: string | null, format: FormatName}} view
 * @returns {string}
 */
export function lineOf(entry, { alias, format }) {
  /** @param {string | undefined} name */
  const isOwn = (name) => Boolean(name) && name === alias;
  /** @param {string | undefined} name */
  const who = (name) => (isOwn(name) ? "You" : (name ?? ""));
  switch (entry.kind) {
    case "requested":
      return "Waiting for stock";
    case "scheduled":
      return "Listed";
    case "opened":
      return `Opened; ends ${shortDate(entry.ends_at ?? 0)}`;
    case "bid":
      return formatOf({ format }).bidLine(entry, { who, isOwn });
    case "maximum_changed":
      return `${who(entry.leader)} changed ${isOwn(entry.leader) ? "your" : "their"} maximum`;
    case "sold_out":
      return "Sold out";
    case "cancelled":
      return `Cancelled: ${entry.reason}`;
    case "closed":
      return formatOf({ format }).closeLine(entry, { who, isOwn });
    case "settled":
      return "Paid";
    case "sale_failed":
      return `Sale cancelled${(entry.next && NEXT_STEPS[entry.next]) ?? ""}`;
    default:
      return entry.kind;
  }
}
