// The Overview of the admin: the lots that close next, from the public API, because the admin's own process serves no auctions.

import { get, withQuery } from "../api.js";
import * as clock from "../clock.js";
import { byId, h, setText } from "../dom.js";
import { formatOf } from "../formats.js";
import { nameOf, timing } from "../states.js";

/** @import {Lot, Page} from "../bodies.d.ts" */

const SHOWN = 8;
const REFRESH_MS = 10_000;
const LOTS = withQuery("/api/v1/auctions", { status: "OPEN", order: "ends_at", page_size: SHOWN });

/** The cell of each lot's remaining time. @type {Map<Lot, HTMLElement>} */
let times = new Map();

async function load() {
  try {
    /** @type {Page<Lot>} */
    const { items } = await get(LOTS, { auth: false });
    show(items);
  } catch {
    if (!times.size) setText(byId("closing-none"), "Not available at the moment.");
  }
}

/** @param {Lot[]} lots */
function show(lots) {
  const line = "border-b border-base-200 py-2 dark:border-base-800";
  times = new Map(lots.map((lot) => [lot, h("td", { class: `${line} text-right whitespace-nowrap` })]));
  const rows = [...times].map(([lot, time]) =>
    h(
      "tr",
      {},
      h(
        "th",
        { class: `${line} font-normal text-left`, scope: "row" },
        h("a", { class: "hover:underline", href: `/auctions/${lot.id}` }, nameOf(lot)),
      ),
      h("td", { class: `${line} px-3 text-right whitespace-nowrap` }, formatOf(lot).price(lot).amount),
      time,
    ),
  );
  byId("closing").replaceChildren(...rows);
  byId("closing-none").hidden = lots.length > 0;
  setText(byId("closing-none"), "No lot is open.");
  tick(clock.now());
}

/** @param {number} now */
function tick(now) {
  for (const [lot, cell] of times) setText(cell, timing(lot, now).text);
}

setInterval(() => {
  if (!document.hidden) load();
}, REFRESH_MS);
clock.ready.then(load);
clock.onTick(tick);
