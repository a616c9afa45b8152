// A new auction: its terms, and beside them the rules as bidders will read them.

import { forReader, readAmount } from "../amount.js";
import { get, newKey, post, withQuery } from "../api.js";
import * as clock from "../clock.js";
import { byId, h, readJson } from "../dom.js";
import { duration, plural } from "../format.js";
import { showFieldError, showProblem } from "../lists.js";
import { rulesOf } from "../words.js";

const FIRST_OPENS_MS = 60_000;
const FIRST_LASTS_MS = 3_600_000;
const PRODUCTS = 50;
const TYPING_MS = 300;

const form = byId("form");
const fields = form.elements;
const figures = readJson("rules");
let key = newKey();

// --- instants: the fields are local time ---

function toField(ms) {
  const local = new Date(ms - new Date(ms).getTimezoneOffset() * 60_000);
  return local.toISOString().slice(0, 19);
}

const fromField = (name) => new Date(fields[name].value).getTime();

// --- the terms ---

const isBuyNow = () => fields.format.value === "buy_now";
const amountOf = (name) => readAmount(fields[name].value.trim(), fields.currency.value);

function terms() {
  const base = {
    product_id: fields.product_id.value,
    format: fields.format.value,
    currency: fields.currency.value,
    start_price: amountOf("start_price") ?? fields.start_price.value.trim(),
    starts_at: fromField("starts_at"),
    ends_at: fromField("ends_at"),
  };
  if (isBuyNow()) return { ...base, quantity: Number(fields.quantity.value) };
  return {
    ...base,
    reserve_price: fields.reserve_price.value.trim() ? (amountOf("reserve_price") ?? fields.reserve_price.value.trim()) : null,
    relistings_left: Number(fields.relistings_left.value),
    soft_close: {
      window_ms: Math.round(Number(fields["soft_close.window"].value) * 1000),
      extension_ms: Math.round(Number(fields["soft_close.extension"].value) * 1000),
      cap_total_ms: Math.round(Number(fields["soft_close.cap"].value) * 60_000),
    },
  };
}

function preview() {
  const asked = terms();
  for (const part of form.querySelectorAll("[data-for]")) part.hidden = part.dataset.for !== asked.format;
  byId("start_price-label").textContent = isBuyNow() ? "Price per unit" : "Starting price";
  const lasts = asked.ends_at - asked.starts_at;
  byId("ends_at-hint").textContent = lasts > 0 ? `Open for ${duration(lasts)}.` : "";
  const isReady = amountOf("start_price") !== null && Number.isFinite(lasts);
  const lines = isReady ? rulesOf({ ...asked, has_reserve: Boolean(asked.reserve_price) }, figures) : ["Enter a price and the times to see the rules."];
  const place = byId("preview");
  const text = lines.join("\n");
  if (place.dataset.text === text) return;
  place.dataset.text = text;
  place.replaceChildren(...lines.map((line) => h("li", {}, line)));
}

// --- the product: the choice holds what the search finds, and always what is chosen ---

const search = byId("product-search");
const hint = byId("product_id-hint");
const products = new Map();
let asked = 0;

const option = ({ id, title, sku, available }) => h("option", { value: id }, `${title} (${sku}, ${available} available)`);

function showStock() {
  const product = products.get(fields.product_id.value);
  if (!product) hint.textContent = search.value.trim() ? "No product matches." : "You have no products yet.";
  else hint.textContent = product.available ? `${plural(product.available, "unit")} in stock.` : "No units in stock: ask the stock desk to receive some first.";
}

async function findProducts(chosen = products.get(fields.product_id.value)) {
  const number = (asked += 1);
  const q = search.value.trim();
  try {
    const { items } = await get(withQuery("/api/v1/products", { q, page_size: PRODUCTS }));
    if (number !== asked) return;
    const found = chosen && !q && !items.some(({ id }) => id === chosen.id) ? [chosen, ...items] : items;
    for (const product of found) products.set(product.id, product);
    fields.product_id.replaceChildren(...found.map(option));
    if (chosen && found.some(({ id }) => id === chosen.id)) fields.product_id.value = chosen.id;
    showStock();
  } catch (error) {
    hint.textContent = "";
    showProblem(byId("problem"), error, { retry: () => findProducts() });
  }
}

/** Choose the product of the link that led here; it may be beyond the first page. */
async function loadProducts() {
  const wanted = new URLSearchParams(location.search).get("product");
  const chosen = wanted ? await get(`/api/v1/products/${encodeURIComponent(wanted)}`).catch(() => undefined) : undefined;
  await findProducts(chosen);
}

let typing = 0;
search.addEventListener("input", (event) => {
  event.stopPropagation();
  clearTimeout(typing);
  typing = setTimeout(() => findProducts(), TYPING_MS);
});
fields.product_id.addEventListener("change", showStock);

form.addEventListener("input", () => {
  key = newKey();
  preview();
});

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  showFieldError(form, null);
  const button = form.querySelector('[type="submit"]');
  button.disabled = true;
  try {
    const auction = await post("/api/v1/auctions", terms(), { key });
    location.assign(`/sell/auctions/${auction.id}`);
  } catch (error) {
    if (showFieldError(form, error)) showProblem(byId("problem"), null);
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
  fields.starts_at.value = toField(clock.now() + FIRST_OPENS_MS);
  fields.ends_at.value = toField(clock.now() + FIRST_OPENS_MS + FIRST_LASTS_MS);
  byId("starts_at-hint").textContent = `Your local time (${zone}).`;
  fields.start_price.value = forReader("100.00");
  preview();
  loadProducts();
}

start();
