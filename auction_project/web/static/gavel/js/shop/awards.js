// Won lots that are paid together, and with the cart: what goes into one order, and the choice in the address of the checkout. Pure.

import { fromMinor, toMinor } from "../format.js";

/** @import {Award, Cart, CartLine, CheckoutLine, NotificationData} from "../bodies.d.ts" */
/**
 * Why a lot does not go into this order: the reader leaves it out, the order has another currency, or units of its product are in
 * the order already.
 * @typedef {"left" | "currency" | "product"} Obstacle
 */
/**
 * What one checkout is to be of. `currency` is null when there is nothing.
 * @typedef {object} Choice
 * @property {CartLine[]} lines Of the cart; none when the reader leaves it out.
 * @property {Award[]} awards
 * @property {string | null} currency
 * @property {Map<string, Obstacle>} apart By award, those that are not in it.
 */
/** What a checkout is asked for: awards by id, and whether the lines of the cart go with them. @typedef {{ids: string[], hasCart: boolean}} Wish */

/** After the news of a sale: when orders knows of it, and when it does at the latest. */
export const AWARDED_MS = [1_000, 5_000];

/** The cart, among the ids of what the reader leaves out. */
export const CART = "cart";

/**
 * What goes into one order of a cart and its awards, when the reader leaves out `left`. The cart comes first, and the lot that must be
 * paid first before the others.
 * @param {Pick<Cart, "lines" | "awards" | "currency">} cart
 * @param {Set<string>} left
 * @returns {Choice}
 */
export function choose({ lines, awards, currency: ofCart }, left) {
  const bought = left.has(CART) && awards.length ? [] : lines;
  let currency = bought.length ? ofCart : null;
  const products = new Set(bought.map(({ product_id }) => product_id));
  /** @type {Map<string, Obstacle>} */
  const apart = new Map();
  /** @type {Award[]} */
  const chosen = [];
  for (const award of awards) {
    const obstacle =
      currency && award.currency !== currency
        ? "currency"
        : products.has(award.product_id)
          ? "product"
          : left.has(award.id)
            ? "left"
            : null;
    if (obstacle) {
      apart.set(award.id, obstacle);
      continue;
    }
    currency ??= award.currency;
    products.add(award.product_id);
    chosen.push(award);
  }
  return { lines: bought, awards: chosen, currency, apart };
}

/**
 * Whether the notification is about a lot that is paid in the cart: it was won, is paid, or was not paid in time.
 * @param {{kind: string, data: NotificationData}} notification
 */
export const isAboutAwards = ({ kind, data }) =>
  kind === "lot_paid" || (kind === "won" && Boolean(data.pay_by_at)) || data.reason === "unpaid";

/** The price of all that is chosen and for sale, without shipping. @param {Pick<Choice, "lines" | "awards" | "currency">} choice */
export function subtotalOf({ lines, awards, currency }) {
  if (!currency) return null;
  const bought = lines.filter(({ problem }) => problem !== "not_for_sale");
  const prices = [...bought.map(({ total }) => total), ...awards.map(({ price }) => price)];
  return fromMinor(
    prices.reduce((sum, price) => sum + toMinor(price, currency), 0),
    currency,
  );
}

/** The address at which the checkout of these begins. @param {Pick<Choice, "lines" | "awards">} choice */
export const checkoutPath = ({ lines, awards }) =>
  wishPath({ ids: awards.map(({ id }) => id), hasCart: lines.length > 0 });

/** The address of a wish; without awards that of the cart. @param {Wish} wish */
export function wishPath({ ids, hasCart }) {
  if (!ids.length) return "/checkout";
  const query = new URLSearchParams(ids.map((id) => ["award", id]));
  if (hasCart) query.set(CART, "1");
  return `/checkout?${query}`;
}

/** What such an address asks for. @param {string} query @returns {Wish} */
export function readWish(query) {
  const named = new URLSearchParams(query);
  const ids = [...new Set(named.getAll("award"))];
  return { ids, hasCart: !ids.length || named.has(CART) };
}

/** What a checkout is of, as a wish: for another one of the same. @param {Pick<CheckoutLine, "award_id">[]} lines @returns {Wish} */
export function wishOf(lines) {
  const ids = lines.flatMap(({ award_id }) => award_id ?? []);
  return { ids, hasCart: ids.length < lines.length };
}

/**
 * A cart as a wish has it: the lots that were asked for and can be paid, and the lines of the cart if they go with them. Shipping is
 * known for the cart alone.
 * @param {Cart} cart
 * @param {Wish} wish
 * @returns {{wanted: Cart, gone: number}} `gone`: how many lots cannot be paid any more.
 */
export function wantedOf(cart, { ids, hasCart }) {
  if (!ids.length) return { wanted: { ...cart, awards: [] }, gone: 0 };
  const lines = hasCart ? cart.lines : [];
  const awards = cart.awards.filter(({ id }) => ids.includes(id));
  const currency = (lines.length ? cart.currency : null) ?? awards[0]?.currency ?? null;
  return {
    wanted: { lines, awards, currency, subtotal: subtotalOf({ lines, awards, currency }), shipping: null, total: null },
    gone: ids.length - awards.length,
  };
}
