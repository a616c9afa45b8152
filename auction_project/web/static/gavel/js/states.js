// The word and the mood of a lot's state, and of a bidder's standing; a lot's name, and the time that matters now. Pure.

import { shortDate } from "./dates.js";
import { span } from "./format.js";

/** @import {Label, Lot, Standing, Status} from "./bodies.d.ts" */

const SOON_MS = 60_000;

/** @type {Record<Status, Label>} */
const STATUSES = {
  NEW: ["New", ""],
  REQUESTED: ["Waiting for stock", "warn"],
  SCHEDULED: ["Coming up", ""],
  OPEN: ["Open", "good live"],
  SOLD_OUT: ["Sold out", ""],
  CLOSED: ["Ended", ""],
  CANCELLED: ["Cancelled", "bad"],
};

/** How a closed lot ended, once that is decided. @type {Record<string, Label>} */
const OUTCOMES = { sold: ["Sold", "good"], unsold: ["Not sold", ""] };

/** @type {Record<Standing, Label>} */
const STANDINGS = {
  none: ["No bid", ""],
  leading: ["Leading", "good"],
  outbid: ["Outbid", "bad"],
  won: ["Won", "good"],
  bought: ["Bought", "good"],
  next_in_line: ["Next in line", "warn"],
  lost: ["Not won", ""],
  not_sold: ["Not sold", ""],
  failed: ["Failed", "bad"],
  cancelled: ["Cancelled", "warn"],
};

/**
 * The label of a lot's state; of a closed one, how it ended. A status that this page does not know is its own word.
 * @param {Pick<Lot, "status" | "outcome">} lot
 * @returns {Label}
 */
export const stateOf = ({ status, outcome }) =>
  (status === "CLOSED" && outcome && OUTCOMES[outcome]) || (STATUSES[status] ?? [status, ""]);

/**
 * The title of a lot. One that inventory refused never had a title.
 * @param {Pick<Lot, "title" | "status">} lot
 */
export const nameOf = ({ title, status }) =>
  title || (status === "CANCELLED" ? "Lot that was never listed" : "Waiting for stock");

/** @param {Standing} standing @returns {Label} */
export const standingWord = (standing) => STANDINGS[standing] ?? [standing, ""];

/**
 * The time that matters now, and whether it is near.
 * @param {Lot} lot
 * @param {number} now
 * @returns {{label: string, text: string, isSoon: boolean}}
 */
export function timing(lot, now) {
  /** @param {number} at */
  const until = (at) => ({ text: span(at - now), isSoon: at - now < SOON_MS });
  switch (lot.status) {
    case "OPEN":
      return lot.ends_at > now
        ? { label: "Ends in", ...until(lot.ends_at) }
        : { label: "Ends", text: "Closing …", isSoon: true };
    case "SCHEDULED":
      return lot.starts_at > now
        ? { label: "Opens in", ...until(lot.starts_at), isSoon: false }
        : { label: "Opens", text: "Opening …", isSoon: false };
    case "SOLD_OUT":
      return { label: "Ended", text: "Sold out", isSoon: false };
    case "CLOSED": // a listing whose stock is gone ends before its time
      return { label: "Ended", text: lot.ends_at > now ? "Early" : shortDate(lot.ends_at), isSoon: false };
    case "CANCELLED":
      return { label: "Ended", text: "Cancelled", isSoon: false };
    default:
      return { label: "Opens", text: shortDate(lot.starts_at), isSoon: false };
  }
}
