// The desk: auctions (a seller's own, an operator's all) and products.

import { get, me, withQuery } from "../api.js";
import { byId, chip, h } from "../dom.js";
import { instant } from "../format.js";
import { formatOf } from "../formats.js";
import { empty, showPager, showProblem } from "../lists.js";
import { stateOf } from "../words.js";

const PAGE_SIZE = 20;
const REFRESH_MS = 5_000;

const form = byId("filters");
const isOperator = me.has("operator");
let page = 1;
let productPage = 1;

function table(caption, heads, rows) {
  return h("table", {}, h("caption", { class: "visually-hidden" }, caption), h("thead", {}, h("tr", {}, heads.map((head) => (head ? h("th", { scope: "col" }, head) : h("td"))))), h("tbody", {}, rows));
}

const picture = (source) => h("td", {}, source ? h("img", { class: "thumb", src: source, alt: "", width: 56, height: 56, loading: "lazy" }) : null);

function auctionRow(lot) {
  const [word, mood] = stateOf(lot);
  const { label, amount } = formatOf(lot).price(lot);
  return h(
    "tr",
    {},
    picture(lot.thumbnail),
    h("th", { scope: "row" }, h("a", { href: `/sell/auctions/${lot.id}` }, lot.title || "Waiting for stock")),
    h("td", {}, chip(word, mood)),
    h("td", {}, formatOf(lot).label),
    h("td", { class: "figure" }, `${amount} `, h("span", { class: "muted small" }, label.toLowerCase())),
    h("td", { class: "figure" }, formatOf(lot).interest(lot)),
    h("td", { class: "figure" }, instant(lot.ends_at)),
  );
}

async function loadAuctions({ isQuiet = false } = {}) {
  const seller = isOperator && !form.elements.own?.checked ? "" : me.id;
  try {
    const query = { status: form.elements.status.value, seller, page, page_size: PAGE_SIZE, order: "-starts_at", unlisted: true };
    const found = await get(withQuery("/api/v1/auctions", query), { auth: false });
    const place = byId("auctions");
    place.removeAttribute("aria-busy");
    if (found.items.length) place.replaceChildren(table("Auctions", ["", "Lot", "Status", "Format", "Price", "Interest", "Ends"], found.items.map(auctionRow)));
    else place.replaceChildren(empty("No auctions", h("p", {}, "Create one; it is listed as soon as stock is reserved.")));
    showPager(byId("pager"), found, (target) => {
      page = target;
      loadAuctions();
    });
  } catch (error) {
    if (!isQuiet) showProblem(byId("problem"), error, { retry: loadAuctions });
  }
}

function productRow(product) {
  return h(
    "tr",
    {},
    picture(product.thumbnail),
    h("th", { scope: "row" }, product.title),
    h("td", {}, h("code", {}, product.sku)),
    h("td", { class: "figure" }, String(product.available)),
    h("td", { class: "figure" }, String(product.reserved)),
    h("td", {}, product.available > 0 ? "" : chip(product.reserved ? "All reserved" : "No stock", "warn")),
    h("td", { class: "end" }, h("a", { class: "button quiet small", href: `/sell/auctions/new?product=${product.id}`, "aria-label": `List ${product.title}` }, "List it")),
  );
}

async function loadProducts() {
  try {
    const found = await get(withQuery("/api/v1/products", { page: productPage, page_size: PAGE_SIZE }));
    const place = byId("products");
    place.removeAttribute("aria-busy");
    if (found.items.length) place.replaceChildren(table("Products", ["", "Title", "SKU", "Available", "Reserved", "", ""], found.items.map(productRow)));
    else place.replaceChildren(empty("No products", h("p", {}, "Create one. Once the stock desk has received it you can list it.")));
    showPager(byId("product-pager"), found, (target) => {
      productPage = target;
      loadProducts();
    });
  } catch (error) {
    showProblem(byId("problem"), error, { retry: loadProducts });
  }
}

form.addEventListener("change", () => {
  page = 1;
  loadAuctions();
});
form.addEventListener("submit", (event) => event.preventDefault());
setInterval(() => {
  if (!document.hidden && !byId("auctions").contains(document.activeElement)) loadAuctions({ isQuiet: true });
}, REFRESH_MS);
loadAuctions();
loadProducts();
