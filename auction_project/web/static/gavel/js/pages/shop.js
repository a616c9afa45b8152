// The shop's home: the search field, the categories, the newest offers, and the lots that end soon.

import { get, withQuery } from "../api.js";
import { byId, h, setText } from "../dom.js";
import { empty, showProblem } from "../lists.js";
import { showLots } from "../lot_strip.js";
import { topOf } from "../shop/categories.js";
import { offerCard } from "../shop/offers.js";
import { countWord } from "../shop/wording.js";
import { findLots } from "../similar.js";
import { suggest } from "../suggestions.js";

/** @import {Category, OfferPage} from "../bodies.d.ts" */

const NEWEST = 8;

async function showNewest() {
  const list = byId("newest");
  try {
    /** @type {OfferPage} */
    const page = await get(withQuery("/api/v1/offers", { sort: "newest", page_size: NEWEST }));
    showProblem(byId("problem"), null);
    list.removeAttribute("aria-busy");
    if (page.total) setText(byId("offer-count"), `${countWord(page)} in the shop`);
    list.replaceChildren(
      ...(page.items.length ? page.items.map(offerCard) : [h("li", { class: "nothing" }, nothing())]),
    );
  } catch (error) {
    list.removeAttribute("aria-busy");
    showProblem(byId("problem"), error, { retry: showNewest });
  }
}

const nothing = () =>
  empty(
    "The shop is empty",
    h("p", {}, "Nothing is for sale at a fixed price now. Look at ", h("a", { href: "/" }, "the auctions"), "."),
  );

/** Without them the page goes without. */
async function showCategories() {
  /** @type {{items: Category[]}} */
  const { items } = await get("/api/v1/categories", { auth: false });
  const top = topOf(items);
  byId("categories").hidden = top.length === 0;
  byId("category-list").replaceChildren(...top.map(categoryLink));
}

/** @param {Category} category */
const categoryLink = ({ slug, name, offers }) =>
  h("li", {}, h("a", { href: `/shop/c/${slug}` }, name, " ", h("span", { class: "muted figure" }, String(offers))));

async function showEnding() {
  const lots = await findLots([""]);
  showLots(byId("lots"), lots);
  byId("auctions").hidden = lots.length === 0;
}

suggest(byId("q", HTMLInputElement), "/api/v1/offers/suggestions");
showNewest();
showCategories().catch(() => {});
showEnding().catch(() => {});
