// Whether the reader may bid with the card on file: "usable", "missing" or "declined"; null when that cannot be read now.

import { get, Problem } from "./api.js";

export async function cardState() {
  try {
    const card = await get("/api/v1/card");
    return card.usable === false ? "declined" : "usable";
  } catch (error) {
    return error instanceof Problem && error.status === 404 ? "missing" : null;
  }
}
