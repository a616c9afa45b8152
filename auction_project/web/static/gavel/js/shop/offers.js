// An offer in a list: its card, which looks like that of a lot.

import { chip, h } from "../dom.js";
import { money } from "../format.js";
import { conditionWord, stockOf } from "./wording.js";

/** @import {Offer} from "../bodies.d.ts" */

/** @param {Offer} offer */
export const pathOf = ({ slug }) => `/shop/p/${encodeURIComponent(slug)}`;

/** @param {Offer} offer */
export function offerCard(offer) {
  const [stock, mood] = stockOf(offer);
  const picture = offer.thumbnail
    ? h("img", { src: offer.thumbnail, alt: "", loading: "lazy", width: 400, height: 400 })
    : null;
  return h(
    "li",
    { class: "lot-card" },
    h("div", { class: "lot-picture" }, picture, mood === "good" ? null : chip(stock, mood)),
    h("h3", {}, h("a", { href: pathOf(offer) }, offer.title)),
    h(
      "dl",
      { class: "lot-figures" },
      h("div", {}, h("dt", {}, "Price"), h("dd", { class: "amount" }, money(offer.price, offer.currency))),
      h("div", {}, h("dt", {}, "Condition"), h("dd", {}, conditionWord(offer.condition))),
    ),
  );
}
