// The search of the shop: its offers, and below them the lots at auction that match the same words. A reader who is signed in can
// save a search, and gets a notice of each new offer that it finds.

import { get, withQuery } from "../api.js";
import { byId, control, setText } from "../dom.js";
import { plural } from "../format.js";
import { showLots } from "../lot_strip.js";
import { newest } from "../newest.js";
import { savedSearches } from "../saved_searches.js";
import { amongOffers } from "../searches.js";
import { offerList } from "../shop/offer_list.js";
import { countWord } from "../shop/wording.js";
import { suggest } from "../suggestions.js";

/** @import {Lot, Page} from "../bodies.d.ts" */

const LOTS = 8;

const words = byId("search", HTMLFormElement);
const begin = newest();
const saved = savedSearches();

const list = offerList({
  path: "/shop/search",
  onShown(filter, page) {
    const text = filter.q ? `“${filter.q}”` : "All offers";
    setText(byId("title"), text);
    document.title = `${text} · Gavel`;
    setText(byId("offers-found"), countWord(page));
    byId("both").hidden = false;
    saved.show(amongOffers(filter));
    showMatching(filter.q).catch(() => {});
  },
});

/** The lots that match the words. Without an answer the page goes without. @param {string} q */
async function showMatching(q) {
  const isNewest = begin();
  const query = { status: "OPEN", order: "ends_at", page_size: LOTS, q };
  /** @type {Page<Lot>} */
  const { items, total } = q
    ? await get(withQuery("/api/v1/auctions", query), { auth: false })
    : { items: [], total: 0 };
  if (!isNewest()) return;
  byId("auctions").hidden = total === 0;
  byId("lots-found").hidden = total === 0;
  setText(byId("lots-found"), `${plural(total, "lot")} at auction`);
  byId("all-lots", HTMLAnchorElement).href = withQuery("/", { q });
  showLots(byId("lots"), items);
}

words.addEventListener("submit", (event) => {
  event.preventDefault();
  list.go({ ...list.current(), q: control(words, "q").value.trim(), sort: "" });
});
suggest(control(words, "q"), "/api/v1/offers/suggestions");
