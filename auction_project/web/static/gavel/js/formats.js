// The formats of auctions in the pages. A new one is a module with the members of formats/format.d.ts, and a line here. Pure.

import { longDate } from "./dates.js";
import { buyNow } from "./formats/buy_now.js";
import { english } from "./formats/english.js";

/** @import {FormatName, Lot, RuleFigures, Terms} from "./bodies.d.ts" */
/** @import {Format} from "./formats/format.d.ts" */

/** @type {Record<FormatName, Format>} */
const FORMATS = { english, buy_now: buyNow };

/** The format of `lot`, or of anything else that has the member `format`. @param {{format: FormatName}} lot */
export const formatOf = ({ format }) => FORMATS[format];

/**
 * The rules of an auction as sentences.
 * @param {Terms} terms
 * @param {RuleFigures} figures
 */
export function rulesOf(terms, figures) {
  const common = [
    `The auction opens on ${longDate(terms.starts_at)} and ends on ${longDate(terms.ends_at)}, by the server's clock.`,
  ];
  if (terms.card_required !== false) common.push("You need a card on file to bid.");
  return [
    ...common,
    ...formatOf(terms).rules(terms, figures),
    "Sellers can't bid on their own lots. Bidders appear under an alias. The history is tamper-evident: each entry includes a hash of the entries before it.",
  ];
}

/**
 * The terms of a lot as rulesOf() reads them.
 * @param {Lot} lot
 * @returns {Terms}
 */
export function termsOf({ terms, format, currency, has_reserve = false, quantity, starts_at, ends_at }) {
  return { start_price: "0", ...terms, format, currency, has_reserve, quantity, starts_at, ends_at };
}
