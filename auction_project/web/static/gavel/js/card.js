// The card on file, and whether the reader may bid with it.

import { get, request } from "./api.js";

/** @import {Card} from "./bodies.d.ts" */
/** @typedef {"usable" | "missing" | "declined"} CardState */

/** @type {[digits: string, behaviour: string, meaning: string][]} */
export const TEST_NUMBERS = [
  ["4242 4242 4242 4242", "accepts", "Succeeds"],
  ["4000 0000 0000 0002", "refuses", "Declined"],
  ["4000 0000 0000 4103", "timeout_done", "Times out, but is charged"],
  ["4000 0000 0000 4202", "timeout_not_done", "Times out, not charged"],
  ["4000 0000 0000 4301", "timeout_lands_late", "Times out, charged later"],
];

/** Null without a card. @returns {Promise<Card | null>} */
export async function loadCard() {
  const card = await get("/api/v1/card?optional=true"); // a 404 would be an error in the browser's console
  return card.last4 ? card : null;
}

/** Put a card on file in place of another. @param {string} number @returns {Promise<Card>} */
export const saveCard = (number) => request("PUT", "/api/v1/card", { body: { number: number.trim() } });

/** Null when the card cannot be read now. @returns {Promise<CardState | null>} */
export async function cardState() {
  try {
    const card = await loadCard();
    if (!card) return "missing";
    return card.usable === false ? "declined" : "usable";
  } catch {
    return null;
  }
}
