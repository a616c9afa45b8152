// The words of the pages for sellers. Pure.

/** @import {Label, ProductOffer} from "../bodies.d.ts" */

/** Whether the shop sells the product. @param {Pick<ProductOffer, "published"> | null} offer @returns {Label} */
export function offerState(offer) {
  if (!offer) return ["No offer", ""];
  return offer.published ? ["In the shop", "good"] : ["Not published", "warn"];
}

/**
 * The list with the thing at `from` moved to `to`; the same list when there is no such place.
 * @template T
 * @param {T[]} list
 * @param {number} from
 * @param {number} to
 * @returns {T[]}
 */
export function movedTo(list, from, to) {
  if (from < 0 || to < 0 || from >= list.length || to >= list.length || from === to) return list;
  const without = list.filter((_, at) => at !== from);
  return [...without.slice(0, to), ...list.slice(from, from + 1), ...without.slice(to)];
}
