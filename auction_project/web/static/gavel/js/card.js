// Whether the reader may bid with the card on file.

import { get } from "./api.js";
import { isNotFound } from "./errors.js";

/** @typedef {"usable" | "missing" | "declined"} CardState */

/** Null when the card cannot be read now. @returns {Promise<CardState | null>} */
export async function cardState() {
  try {
    const card = await get("/api/v1/card");
    return card.usable === false ? "declined" : "usable";
  } catch (error) {
    return isNotFound(error) ? "missing" : null;
  }
}
