// Below a lot that is over: a few lots that are still open, those with a word of its title first.

import { get, withQuery } from "./api.js";
import * as clock from "./clock.js";
import { byId } from "./dom.js";
import { after, Card } from "./lots.js";
import { stream } from "./stream.js";
import { wordsOf } from "./title_words.js";

/** @import {Lot, Page} from "./bodies.d.ts" */

const SHOWN = 4;

let isShown = false;

/** Show them once. Without an answer the page goes without. @param {Lot} lot */
export async function showSimilar(lot) {
  if (isShown) return;
  isShown = true;
  /** @type {Map<string, Lot>} */
  const found = new Map();
  try {
    for (const q of [...wordsOf(lot.title), ""]) {
      if (found.size >= SHOWN) break;
      const query = { status: "OPEN", order: "ends_at", page_size: SHOWN + 1, q };
      /** @type {Page<Lot>} */
      const { items } = await get(withQuery("/api/v1/auctions", query), { auth: false });
      for (const one of items) if (one.id !== lot.id && found.size < SHOWN) found.set(one.id, one);
    }
  } catch {
    isShown = false;
    return;
  }
  const cards = [...found.values()].map((one) => new Card(one));
  byId("similar-lots").replaceChildren(...cards.map((card) => card.element));
  byId("similar").hidden = cards.length === 0;
  for (const card of cards) follow(card);
  clock.onTick((now) => {
    for (const card of cards) card.tick(now);
  });
}

/** @param {Card} card */
function follow(card) {
  stream.watch(card.lot.id, card.lot.seq, {
    onFrame(frame) {
      const next = after(card.lot, frame);
      if (next) card.show(next);
    },
    onLost: () => stream.unwatch(card.lot.id), // the price stays as it was
  });
}
