// A new auction: its terms, and beside them the rules as bidders will read them.

import { forReader, readAmount } from "../amount.js";
import { get, newKey, post, withQuery } from "../api.js";
import * as clock from "../clock.js";
import { byId, control, h, readJson } from "../dom.js";
import { isNotFound } from "../errors.js";
import { duration, plural } from "../format.js";
import { formatOf, rulesOf } from "../formats.js";
import { clearFieldErrors, showFieldError, showMissing, showProblem } from "../lists.js";
import { newest } from "../newest.js";

/** @import {FormatName, Page, Product, RuleFigures} from "../bodies.d.ts" */

const FIRST_OPENS_MS = 60_000;
const FIRST_LASTS_MS = 3_600_000;
const MAX_PRODUCTS = 20; // in the list at once
const SEARCH_PAUSE_MS = 200;

const form = byId("form", HTMLFormElement);
const button = byId("create", HTMLButtonElement);
/** @type {RuleFigures} */
const figures = readJson("rules");
const search = byId("product_search", HTMLInputElement);
const productField = control(form, "product_id", HTMLSelectElement);
const currencyField = control(form, "currency", HTMLSelectElement);
const paymentField = control(form, "pay_within_minutes", HTMLSelectElement);
/** Of the pause before a search. */
let timer = 0;
/** The Idempotency-Key of the auction as it is entered now. */
let key = newKey();

/** The text of a field. @param {string} name */
const textOf = (name) => control(form, name).value.trim();

// --- instants: the fields are local time ---

/** @param {number} ms */
function toField(ms) {
  const local = new Date(ms - new Date(ms).getTimezoneOffset() * 60_000);
  return local.toISOString().slice(0, 19);
}

/** @param {string} name */
const fromField = (name) => new Date(textOf(name)).getTime();

// --- the terms ---

const formatName = () => /** @type {FormatName} */ (new FormData(form).get("format"));

/** @param {string} name */
const amountOf = (name) => readAmount(textOf(name), currencyField.value);

/** The amount of a field, or the text that is none, which the server refuses. @param {string} name */
const amountOrText = (name) => amountOf(name) ?? textOf(name);

/** When buyers pay. What they pay later is reserved from the listing on. @returns {{pay_within_minutes: number, allocate?: string}} */
function payment() {
  const pay_within_minutes = Number(paymentField.value);
  return pay_within_minutes ? { pay_within_minutes, allocate: "on_listing" } : { pay_within_minutes };
}

/** The body of the new auction, as the fields are now. */
function terms() {
  const base = {
    product_id: productField.value,
    format: formatName(),
    currency: currencyField.value,
    start_price: amountOrText("start_price"),
    starts_at: fromField("starts_at"),
    ends_at: fromField("ends_at"),
    ...payment(),
  };
  if (!formatOf(base).isContest) return { ...base, quantity: Number(textOf("quantity")) };
  return {
    ...base,
    reserve_price: amountOrText("reserve_price") || null,
    relistings_left: Number(textOf("relistings_left")),
    soft_close: {
      window_ms: Math.round(Number(textOf("soft_close.window")) * 1000),
      extension_ms: Math.round(Number(textOf("soft_close.extension")) * 1000),
      cap_total_ms: Math.round(Number(textOf("soft_close.cap")) * 60_000),
    },
  };
}

function preview() {
  const entered = terms();
  const takes = formatOf(entered).isContest ? "contest" : "purchase";
  for (const part of form.querySelectorAll("[data-for]")) {
    if (part instanceof HTMLElement) part.hidden = part.dataset.for !== takes;
  }
  byId("start_price-label").textContent = formatOf(entered).startLabel;
  const lasts = entered.ends_at - entered.starts_at;
  byId("ends_at-hint").textContent = lasts > 0 ? `Open for ${duration(lasts)}.` : "";
  const isReady = amountOf("start_price") !== null && Number.isFinite(lasts);
  const lines = isReady
    ? rulesOf({ ...entered, has_reserve: "reserve_price" in entered && Boolean(entered.reserve_price) }, figures)
    : ["Enter a price and the times to see the rules."];
  const list = byId("preview");
  const text = lines.join("\n");
  if (list.dataset.text === text) return;
  list.dataset.text = text;
  list.replaceChildren(...lines.map((line) => h("li", {}, line)));
}

// --- the product: the server searches, so that every product is within reach ---

/** All products that were in the list. @type {Map<string, Product>} */
const products = new Map();
const beginSearch = newest();

/** @param {Product} product */
const labelOf = (product) => `${product.title} (${product.sku}, ${product.available} free)`;
const chosen = () => products.get(productField.value);

/** Say how much stock the chosen product has, and `more`. */
function showChosen(more = "") {
  const product = chosen();
  const stock = product ? `${plural(product.available, "unit")} free in stock.` : "";
  const warning =
    product && !product.available ? "No units in stock: ask the auction house to receive some first." : "";
  byId("product_id-hint").textContent = [stock, warning, more].filter(Boolean).join(" ");
}

/**
 * List these products, and the one that is chosen.
 * @param {Product[]} items
 * @param {number} total
 */
function offer(items, total) {
  const product = chosen();
  const offered = product && !items.some(({ id }) => id === product.id) ? [product, ...items] : items;
  for (const item of items) products.set(item.id, item);
  productField.replaceChildren(
    h("option", { value: "" }, "Choose a product"),
    ...offered.map((product) => h("option", { value: product.id }, labelOf(product))),
  );
  productField.value = product?.id ?? (total === 1 && items[0] ? items[0].id : "");
  const isSearch = Boolean(search.value.trim());
  if (!total) showChosen(isSearch ? "No product matches." : "You have no products yet.");
  else
    showChosen(total > items.length ? `The list shows ${items.length} of ${total} products: search for others.` : "");
}

async function loadProducts() {
  const isNewest = beginSearch();
  try {
    /** @type {Page<Product>} */
    const { items, total } = await get(
      withQuery("/api/v1/products", { q: search.value.trim(), page_size: MAX_PRODUCTS }),
    );
    if (!isNewest()) return;
    offer(items, total);
    showProblem(byId("problem"), null);
  } catch (error) {
    if (!isNewest()) return;
    byId("product_id-hint").textContent = "";
    showProblem(byId("problem"), error, { retry: loadProducts });
  }
}

/** The product that the address names: the list may be too short to have it. */
async function loadNamed() {
  const id = new URLSearchParams(location.search).get("product");
  if (!id) return;
  try {
    /** @type {Product} */
    const product = await get(`/api/v1/products/${encodeURIComponent(id)}`);
    products.set(product.id, product);
    productField.replaceChildren(h("option", { value: product.id }, labelOf(product)));
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}

async function startProducts() {
  try {
    await loadNamed();
    await loadProducts();
  } catch (error) {
    showProblem(byId("problem"), error, { retry: startProducts });
  }
}

search.addEventListener("input", (event) => {
  event.stopPropagation(); // no term of the auction has changed
  clearTimeout(timer);
  timer = setTimeout(loadProducts, SEARCH_PAUSE_MS);
});
search.addEventListener("keydown", (event) => {
  if (event.key === "Enter") event.preventDefault(); // it would send the form
});
productField.addEventListener("change", () => showChosen());

form.addEventListener("input", () => {
  key = newKey();
  clearFieldErrors(form); // what was wrong is being corrected
  preview();
});

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (showMissing(form)) return;
  button.disabled = true;
  try {
    const auction = await post("/api/v1/auctions", terms(), { key });
    location.assign(`/sell/auctions/${auction.id}`);
  } catch (error) {
    if (showFieldError(form, error, currencyField.value)) showProblem(byId("problem"), null);
    else {
      showProblem(byId("problem"), error);
      byId("content").focus();
      scrollTo({ top: 0 });
    }
    button.disabled = false;
  }
});

async function start() {
  await clock.ready;
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  control(form, "starts_at").value = toField(clock.now() + FIRST_OPENS_MS);
  control(form, "ends_at").value = toField(clock.now() + FIRST_OPENS_MS + FIRST_LASTS_MS);
  byId("starts_at-hint").textContent = `Your local time (${zone}).`;
  control(form, "start_price").value = forReader("100.00");
  preview();
  startProducts();
}

start();
