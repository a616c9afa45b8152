// A few lots that are still open, those with a word of a title first: below a lot that is over, and beside a product of the shop.

import { get, withQuery } from "./api.js";
import { byId } from "./dom.js";
import { showLots } from "./lot_strip.js";
import { wordsOf } from "./title_words.js";

/** @import {Lot, Page} from "./bodies.d.ts" */

const SHOWN = 4;

let isShown = false;

/** Show them once. Without an answer the page goes without. @param {Pick<Lot, "title"> & {id?: string}} lot */
export async function showSimilar(lot) {
  if (isShown) return;
  isShown = true;
  try {
    const lots = await findLots([...wordsOf(lot.title), ""], lot.id);
    showLots(byId("similar-lots"), lots);
    byId("similar").hidden = lots.length === 0;
  } catch {
    isShown = false;
  }
}

/**
 * The first open lots that match any of these searches, in their order.
 * @param {string[]} searches
 * @param {string} [except] The id of a lot that is not meant.
 */
export async function findLots(searches, except) {
  /** @type {Map<string, Lot>} */
  const found = new Map();
  for (const q of searches) {
    if (found.size >= SHOWN) break;
    const query = { status: "OPEN", order: "ends_at", page_size: SHOWN + 1, q };
    /** @type {Page<Lot>} */
    const { items } = await get(withQuery("/api/v1/auctions", query), { auth: false });
    for (const one of items) if (one.id !== except && found.size < SHOWN) found.set(one.id, one);
  }
  return [...found.values()];
}
