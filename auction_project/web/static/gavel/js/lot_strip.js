// A few lots on a page about something else: their cards, which follow the stream.

import * as clock from "./clock.js";
import { after, Card } from "./lots.js";
import { stream } from "./stream.js";

/** @import {Lot} from "./bodies.d.ts" */

/** @type {Map<HTMLElement, Card[]>} */
const shown = new Map();

/**
 * Show the lots in `list`, in place of those that it has shown before.
 * @param {HTMLElement} list
 * @param {Lot[]} lots
 */
export function showLots(list, lots) {
  for (const card of shown.get(list) ?? []) stream.unwatch(card.lot.id);
  const cards = lots.map((lot) => new Card(lot));
  list.replaceChildren(...cards.map((card) => card.element));
  for (const card of cards) follow(card);
  const isFirst = !shown.has(list);
  shown.set(list, cards);
  if (!isFirst) return;
  clock.onTick((now) => {
    for (const card of shown.get(list) ?? []) card.tick(now);
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
