// The seller's dashboard: auctions (a seller's own, an operator's all) and products.

import { get, me, withQuery } from "../api.js";
import { shortDate } from "../dates.js";
import { byId, chip, control, h } from "../dom.js";
import { money } from "../format.js";
import { formatOf } from "../formats.js";
import { empty, pictureCell, showPager, showProblem, showTable } from "../lists.js";
import { newest } from "../newest.js";
import { offerState } from "../selling/wording.js";
import { nameOf, stateOf } from "../states.js";

/** @import {Lot, Page, Product, ProductOffer} from "../bodies.d.ts" */

const PAGE_SIZE = 20;
const REFRESH_MS = 5_000;
const SEARCH_PAUSE_MS = 200;

const form = byId("filters", HTMLFormElement);
const status = control(form, "status", HTMLSelectElement);
/** The box "Mine only", which an operator who also sells has. */
const own = form.elements.namedItem("own");
const search = byId("product_search", HTMLInputElement);
/** Of the pause before a search. */
let timer = 0;
const isOperator = me.has("operator");
let page = 1;
let productPage = 1;
const [beginAuctions, beginProducts] = [newest(), newest()];

/** @param {Lot} lot */
function auctionRow(lot) {
  const [word, mood] = stateOf(lot);
  const { label, amount } = formatOf(lot).price(lot);
  return h(
    "tr",
    {},
    pictureCell(lot.thumbnail),
    h("th", { scope: "row" }, h("a", { href: `/sell/auctions/${lot.id}` }, nameOf(lot))),
    h("td", {}, chip(word, mood)),
    h("td", { dataset: { label: "Format" } }, formatOf(lot).label),
    h(
      "td",
      { class: "figure", dataset: { label: "Price" } },
      `${amount} `,
      h("span", { class: "muted small" }, label.toLowerCase()),
    ),
    h("td", { class: "figure", dataset: { label: "Interest" } }, formatOf(lot).interest(lot)),
    h("td", { class: "figure", dataset: { label: "Ends" } }, shortDate(lot.ends_at)),
  );
}

async function loadAuctions({ isQuiet = false } = {}) {
  const isNewest = beginAuctions({ isRefresh: isQuiet });
  const seller = isOperator && !(own instanceof HTMLInputElement && own.checked) ? "" : me.id;
  try {
    const query = { status: status.value, seller, page, page_size: PAGE_SIZE, order: "-starts_at", unlisted: true };
    /** @type {Page<Lot>} */
    const lots = await get(withQuery("/api/v1/auctions", query), { auth: false });
    if (!isNewest()) return;
    showTable(byId("auctions"), {
      caption: "Auctions",
      heads: ["", "Lot", "Status", "Format", "Price", "Interest", "Ends"],
      rows: lots.items.map(auctionRow),
      none: empty("No auctions", h("p", {}, "Create one; it is listed as soon as stock is reserved.")),
    });
    showPager(byId("pager"), lots, (target) => {
      page = target;
      loadAuctions();
    });
  } catch (error) {
    if (isNewest() && !isQuiet) showProblem(byId("problem"), error, { retry: () => loadAuctions() });
  }
}

/** What it costs in the shop, and whether it is sold there. @param {ProductOffer | null} offer */
function shopCell(offer) {
  const state = chip(...offerState(offer));
  return h(
    "span",
    { class: "row" },
    offer && h("span", { class: "figure" }, money(offer.price, offer.currency)),
    state,
  );
}

/** @param {Product} product */
function productRow(product) {
  return h(
    "tr",
    {},
    pictureCell(product.thumbnail),
    h("th", { scope: "row" }, h("a", { href: `/sell/products/${product.id}` }, product.title)),
    h("td", { dataset: { label: "SKU" } }, h("code", {}, product.sku)),
    h("td", { dataset: { label: "In the shop" } }, shopCell(product.offer)),
    h("td", { class: "figure", dataset: { label: "Available" } }, String(product.available)),
    h("td", { class: "figure", dataset: { label: "Reserved" } }, String(product.reserved)),
    h("td", {}, product.available > 0 ? "" : chip(product.reserved ? "All reserved" : "No stock", "warn")),
    h(
      "td",
      { class: "end" },
      h(
        "a",
        {
          class: "button quiet small",
          href: `/sell/auctions/new?product=${product.id}`,
          "aria-label": `List ${product.title}`,
        },
        "List it",
      ),
    ),
  );
}

async function loadProducts() {
  const isNewest = beginProducts();
  const q = search.value.trim();
  try {
    /** @type {Page<Product>} */
    const products = await get(withQuery("/api/v1/products", { q, page: productPage, page_size: PAGE_SIZE }));
    if (!isNewest()) return;
    showTable(byId("products"), {
      caption: "Products",
      heads: ["", "Title", "SKU", "In the shop", "Available", "Reserved", "", ""],
      rows: products.items.map(productRow),
      none: q
        ? empty("No product matches")
        : empty("No products", h("p", {}, "Create one. Once the auction house has received it, you can list it.")),
    });
    showPager(byId("product-pager"), products, (target) => {
      productPage = target;
      loadProducts();
    });
  } catch (error) {
    if (isNewest()) showProblem(byId("problem"), error, { retry: loadProducts });
  }
}

form.addEventListener("change", () => {
  page = 1;
  loadAuctions();
});
form.addEventListener("submit", (event) => event.preventDefault());
search.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(() => {
    productPage = 1;
    loadProducts();
  }, SEARCH_PAUSE_MS);
});
search.form?.addEventListener("submit", (event) => event.preventDefault());
setInterval(() => {
  if (!document.hidden && !byId("auctions").contains(document.activeElement)) loadAuctions({ isQuiet: true });
}, REFRESH_MS);
loadAuctions();
loadProducts();
