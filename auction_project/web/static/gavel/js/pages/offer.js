// One offer: its pictures, what it is, its price, and the way into the cart. Below it are lots like it at auction.

import { get } from "../api.js";
import { byId, h, note, setText } from "../dom.js";
import { isNotFound } from "../errors.js";
import { money, plural } from "../format.js";
import { showProblem } from "../lists.js";
import { showLots } from "../lot_strip.js";
import { cart } from "../shop/cart.js";
import { pathTo } from "../shop/categories.js";
import { quantityField, quantityOf } from "../shop/quantity.js";
import { conditionWord, mostOf, stockOf } from "../shop/wording.js";
import { findLots } from "../similar.js";
import { wordsOf } from "../title_words.js";

/** @import {Category, OfferDetail, Picture} from "../bodies.d.ts" */

const article = byId("offer");
const form = byId("buy", HTMLFormElement);
const button = byId("add", HTMLButtonElement);
/** @type {OfferDetail | null} */
let offer = null;
/** @type {HTMLInputElement | null} */
let quantity = null;

async function load() {
  try {
    show(await get(`/api/v1/offers/${encodeURIComponent(article.dataset.slug ?? "")}`, { auth: false }));
    showProblem(byId("problem"), null);
  } catch (error) {
    article.hidden = true;
    if (isNotFound(error)) byId("problem").replaceChildren(gone());
    else showProblem(byId("problem"), error, { retry: load });
  }
}

const gone = () =>
  h(
    "div",
    { class: "empty" },
    h("h1", {}, "Not for sale"),
    h("p", {}, "This offer is not in the shop any more. ", h("a", { href: "/shop" }, "Look around the shop"), "."),
  );

/** @param {OfferDetail} loaded */
function show(loaded) {
  const isFirst = !offer;
  offer = loaded;
  document.title = `${offer.title} · Gavel`;
  setText(byId("title"), offer.title);
  setText(byId("price"), money(offer.price, offer.currency));
  const [stock, mood] = stockOf(offer);
  byId("stock").replaceChildren(h("span", { class: `chip ${mood}` }, stock));
  byId("meta").replaceChildren(
    h("li", {}, "Condition ", h("strong", {}, conditionWord(offer.condition))),
    h("li", {}, "Sold by ", h("strong", {}, offer.seller === "house" ? "the house" : offer.seller)),
  );
  byId("about").hidden = !offer.description;
  setText(byId("text"), offer.description);
  byId("details").hidden = offer.attributes.length === 0;
  byId("attributes").replaceChildren(
    ...offer.attributes.flatMap(({ name, value }) => [h("dt", {}, name), h("dd", {}, value)]),
  );
  showBuying(mostOf(offer));
  if (isFirst) {
    showPictures(offer.pictures);
    showCrumbs(offer.category).catch(() => {});
    showAtAuction(offer.title).catch(() => {});
  }
  article.hidden = false;
  article.removeAttribute("aria-busy");
}

/** @param {number} most */
function showBuying(most) {
  form.hidden = most === 0;
  if (most === 0) byId("added").replaceChildren(note("", "Sold out", "Come back later: it may be in stock again."));
  if (!offer || most === 0) return;
  const field = quantityField({
    id: "units",
    label: "Quantity",
    value: Math.min(quantity ? quantityOf(quantity) : 1, most),
    max: most,
    describedBy: "quantity-hint",
  });
  quantity = field.input;
  byId("quantity").replaceChildren(field.element);
  const isBounded = offer.max_per_order < offer.available;
  setText(byId("quantity-hint"), isBounded ? `At most ${plural(offer.max_per_order, "unit")} in one order.` : "");
}

/** @param {Picture[]} pictures */
function showPictures(pictures) {
  const first = pictures[0];
  if (first) showPicture(first);
  else byId("picture").hidden = true;
  const thumbs = byId("thumbs");
  thumbs.hidden = pictures.length < 2;
  thumbs.replaceChildren(
    ...pictures.map((picture, i) => {
      const name = `Picture ${i + 1} of ${pictures.length}${picture.alt ? `: ${picture.alt}` : ""}`;
      const choose = h(
        "button",
        { type: "button", "aria-label": name, "aria-pressed": String(i === 0) },
        h("img", { src: picture.thumbnail, alt: "", width: 72, height: 72, loading: "lazy" }),
      );
      choose.addEventListener("click", () => {
        showPicture(picture);
        for (const other of thumbs.querySelectorAll("button"))
          other.setAttribute("aria-pressed", String(other === choose));
      });
      return h("li", {}, choose);
    }),
  );
}

/** @param {Picture} picture */
function showPicture({ url, alt }) {
  const shown = byId("picture", HTMLImageElement);
  shown.src = url;
  shown.alt = alt;
}

/** @param {string | null} category */
async function showCrumbs(category) {
  if (!category) return;
  /** @type {{items: Category[]}} */
  const { items } = await get("/api/v1/categories", { auth: false });
  byId("crumbs").append(
    ...pathTo(items, category).map(({ slug, name }) => h("li", {}, h("a", { href: `/shop/c/${slug}` }, name))),
  );
}

/** @param {string} title */
async function showAtAuction(title) {
  const lots = await findLots(wordsOf(title));
  showLots(byId("similar-lots"), lots);
  byId("similar").hidden = lots.length === 0;
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (!offer || !quantity || button.disabled) return;
  const wanted = quantityOf(quantity);
  button.disabled = true;
  try {
    const held = await cart.add(offer, wanted);
    showProblem(byId("add-error"), null);
    byId("added").replaceChildren(
      note("good", `${plural(held, "unit")} in your cart`, h("p", {}, h("a", { href: "/cart" }, "View the cart"))),
    );
  } catch (error) {
    byId("added").replaceChildren();
    showProblem(byId("add-error"), error);
    load();
  } finally {
    button.disabled = false;
  }
});

addEventListener("pageshow", ({ persisted }) => {
  if (persisted) load();
});
load();
