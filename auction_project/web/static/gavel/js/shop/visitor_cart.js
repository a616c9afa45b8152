// A visitor's cart: its lines, which the browser keeps until the visitor signs in. Pure.

import { fromMinor, toMinor } from "../format.js";

/** @import {Cart, CartLine, Offer} from "../bodies.d.ts" */
/**
 * One line: what the visitor saw when the units were put in. `price` is for one unit.
 * @typedef {object} Line
 * @property {string} product_id
 * @property {string} slug
 * @property {string} title
 * @property {string} thumbnail
 * @property {number} quantity
 * @property {string} price
 * @property {string} currency
 */

export const MAX_LINES = 50;

/** @param {any} line */
const isLine = (line) =>
  ["product_id", "slug", "title", "price", "currency"].every(
    (name) => line?.[name] && typeof line[name] === "string",
  ) &&
  Number.isInteger(line.quantity) &&
  line.quantity > 0 &&
  /^\d+(\.\d+)?$/.test(line.price);

/** The lines of a stored text; what is no line is left out. @param {string | null} text @returns {Line[]} */
export function readLines(text) {
  try {
    const stored = JSON.parse(text ?? "[]");
    return Array.isArray(stored) ? stored.filter(isLine).slice(0, MAX_LINES) : [];
  } catch {
    return [];
  }
}

/**
 * The lines with this one in place of the one of its product, or behind all. A quantity of 0 takes it out. A new line beyond the
 * bound is left out.
 * @param {Line[]} lines
 * @param {Line} line
 */
export function withLine(lines, line) {
  const isPresent = lines.some(({ product_id }) => product_id === line.product_id);
  if (line.quantity <= 0) return lines.filter(({ product_id }) => product_id !== line.product_id);
  if (isPresent) return lines.map((one) => (one.product_id === line.product_id ? line : one));
  return lines.length < MAX_LINES ? [...lines, line] : lines;
}

/** The units of all lines. @param {{quantity: number}[]} lines */
export const countUnits = (lines) => lines.reduce((sum, { quantity }) => sum + quantity, 0);

/**
 * The cart as the server would show it: the lines beside the offers of today. A product without an offer is not for sale; null for
 * an offer that could not be loaded, of which the line shows what the visitor saw.
 * @param {Line[]} lines
 * @param {Map<string, Offer | "none" | null>} offers By product.
 * @returns {Cart}
 */
export function asCart(lines, offers) {
  const shown = lines.map((line) => asCartLine(line, offers.get(line.product_id) ?? null));
  const currency = shown[0]?.currency ?? null;
  const bought = shown.filter(({ problem }) => problem !== "not_for_sale");
  const isOne = currency !== null && bought.every((line) => line.currency === currency);
  const subtotal = bought.reduce((sum, line) => sum + toMinor(line.total, line.currency), 0);
  return {
    lines: shown,
    awards: [],
    currency,
    subtotal: isOne ? fromMinor(subtotal, currency) : null,
    shipping: null,
    total: null,
  };
}

/**
 * @param {Line} line
 * @param {Offer | "none" | null} offer
 * @returns {CartLine}
 */
function asCartLine(line, offer) {
  const { product_id, slug, quantity } = line;
  const now = offer && offer !== "none" ? offer : { ...line, max_per_order: quantity };
  const isSame = now.price === line.price && now.currency === line.currency;
  return {
    product_id,
    slug,
    quantity,
    title: now.title,
    thumbnail: now.thumbnail ?? "",
    seen_price: line.price,
    price: now.price,
    currency: now.currency,
    total: fromMinor(toMinor(now.price, now.currency) * quantity, now.currency),
    max_per_order: now.max_per_order,
    problem:
      offer === "none" ? "not_for_sale" : quantity > now.max_per_order ? "too_many" : isSame ? null : "price_changed",
  };
}
