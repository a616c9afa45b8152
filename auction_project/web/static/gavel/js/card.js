// The card on file, and whether the reader may bid with it.

import { get } from "./api.js";

/** @import {Card} from "./bodies.d.ts" */
/** @typedef {"usable" | "missing" | "declined"} CardState */

/** Null without a card. @returns {Promise<Card | null>} */
export async function loadCard() {
  const card = await get("/api/v1/card?optional=true"); // a 404 would be an error in the browser's console
  return card.last4 ? card : null;
}

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
