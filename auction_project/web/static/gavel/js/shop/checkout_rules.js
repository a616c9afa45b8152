// What a page may conclude from a checkout's body. Pure.

/** @import {Address, Cart, Checkout, CheckoutStatus, Shortage} from "../bodies.d.ts" */

/** It keeps units, or is being paid. @param {CheckoutStatus} status */
export const isRunning = (status) => ["RESERVING", "RESERVED", "PAYING"].includes(status);

/** Nothing but time changes it, so that a page need not ask often. @param {CheckoutStatus} status */
export const isSettling = (status) => status === "RESERVING" || status === "PAYING";

/**
 * Whether the checkout is of what is wanted now, at the prices of now: lines of the cart and won lots.
 * @param {Pick<Checkout, "lines" | "currency">} checkout
 * @param {Pick<Cart, "lines" | "awards" | "currency">} wanted
 */
export function isOf(checkout, wanted) {
  if (checkout.currency !== wanted.currency) return false;
  if (checkout.lines.length !== wanted.lines.length + wanted.awards.length) return false;
  const lines = new Map(wanted.lines.map((line) => [line.product_id, line]));
  const awards = new Set(wanted.awards.map(({ id }) => id));
  return checkout.lines.every(({ product_id, quantity, unit_price, award_id }) => {
    if (award_id) return awards.has(award_id);
    const line = lines.get(product_id);
    return line?.quantity === quantity && line.price === unit_price;
  });
}

/**
 * How many units of each product that is short can be had; 0 takes its line out.
 * @param {Shortage[]} shortages
 * @returns {{product_id: string, quantity: number}[]}
 */
export const leftOf = (shortages) =>
  shortages.map(({ product_id, asked, available }) => ({
    product_id,
    quantity: Math.min(asked, Math.max(available, 0)),
  }));

/**
 * Whether anything can be had of a checkout that was refused.
 * @param {Pick<Checkout, "lines" | "shortages">} checkout
 */
export const hasLeft = ({ lines, shortages }) =>
  lines.length > shortages.length || shortages.some(({ available }) => available > 0);

/**
 * An address as it is written on a parcel, line by line; the country in full.
 * @param {Omit<Address, "id" | "is_default">} address
 * @param {(code: string) => string} countryName
 */
export const addressLines = ({ name, line1, line2, postal_code, city, country, phone }, countryName) =>
  [name, line1, line2, `${postal_code} ${city}`.trim(), countryName(country), phone].filter(Boolean);
