// The word and the mood of a lot's state, and of a bidder's standing. Pure.

/** @import {Label, Lot, Standing, Status} from "./bodies.d.ts" */

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

/** @param {Standing} standing @returns {Label} */
export const standingWord = (standing) => STANDINGS[standing] ?? [standing, ""];
