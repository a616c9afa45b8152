// A new auction: its terms, and beside them the rules as bidders will read them.

import { forReader, readAmount } from "../amount.js";
import { get, newKey, post } from "../api.js";
import * as clock from "../clock.js";
import { byId, h, readJson } from "../dom.js";
import { duration, plural } from "../format.js";
import { formatOf } from "../formats.js";
import { showFieldError, showProblem } from "../lists.js";
import { rulesOf } from "../words.js";

const FIRST_OPENS_MS = 60_000;
const FIRST_LASTS_MS = 3_600_000;
const PRODUCTS = 20; // offered at once
const SEARCH_PAUSE_MS = 200;

const form = byId("form");
const fields = form.elements;
const figures = readJson("rules");
const search = byId("product_search");
let pause = 0;
let key = newKey();

// --- instants: the fields are local time ---

function toField(ms) {
  const local = new Date(ms - new Date(ms).getTimezoneOffset() * 60_000);
  return local.toISOString().slice(0, 19);
}

const fromField = (name) => new Date(fields[name].value).getTime();

// --- the terms ---

const format = () => formatOf({ format: fields.format.value });
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
  if (!format().isContest) return { ...base, quantity: Number(fields.quantity.value) };
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
  byId("start_price-label").textContent = format().startLabel;
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

// --- the product: searched on the server, so that none is out of reach ---

const found = new Map();
let searches = 0;

const labelOf = (product) => `${product.title} (${product.sku}, ${product.available} free)`;
const chosen = () => found.get(fields.product_id.value);

function showChosen(more = "") {
  const product = chosen();
  const stock = product ? `${plural(product.available, "unit")} free in stock.` : "";
  const warning = product && !product.available ? "No units in stock: ask the stock desk to receive some first." : "";
  byId("product_id-hint").textContent = [stock, warning, more].filter(Boolean).join(" ");
}

function offer(items, total) {
  const kept = chosen();
  const offered = kept && !items.some((product) => product.id === kept.id) ? [kept, ...items] : items;
  for (const product of items) found.set(product.id, product);
  fields.product_id.replaceChildren(h("option", { value: "" }, "Choose a product"), ...offered.map((product) => h("option", { value: product.id }, labelOf(product))));
  fields.product_id.value = kept?.id ?? (total === 1 ? items[0].id : "");
  const isSearch = Boolean(search.value.trim());
  if (!total) showChosen(isSearch ? "No product matches." : "You have no products yet.");
  else showChosen(total > items.length ? `The list shows ${items.length} of ${total} products: search for others.` : "");
}

async function loadProducts() {
  const turn = ++searches;
  try {
    const { items, total } = await get(`/api/v1/products?${new URLSearchParams({ q: search.value.trim(), page_size: PRODUCTS })}`);
    if (turn !== searches) return;
    offer(items, total);
    showProblem(byId("problem"), null);
  } catch (error) {
    if (turn !== searches) return;
    byId("product_id-hint").textContent = "";
    showProblem(byId("problem"), error, { retry: loadProducts });
  }
}

/** The product that the address names, however many there are. */
async function loadWanted() {
  const id = new URLSearchParams(location.search).get("product");
  if (!id) return;
  try {
    const product = await get(`/api/v1/products/${encodeURIComponent(id)}`);
    found.set(product.id, product);
    fields.product_id.replaceChildren(h("option", { value: product.id }, labelOf(product)));
  } catch (error) {
    if (error.status !== 404) throw error;
  }
}

async function startProducts() {
  try {
    await loadWanted();
    await loadProducts();
  } catch (error) {
    showProblem(byId("problem"), error, { retry: startProducts });
  }
}

search.addEventListener("input", (event) => {
  event.stopPropagation(); // no term of the auction has changed
  clearTimeout(pause);
  pause = setTimeout(loadProducts, SEARCH_PAUSE_MS);
});
search.addEventListener("keydown", (event) => {
  if (event.key === "Enter") event.preventDefault(); // it would send the form
});
fields.product_id.addEventListener("change", () => showChosen());

form.addEventListener("input", () => {
  key = newKey();
  showFieldError(form, null); // what was wrong is being corrected
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
  startProducts();
}

start();
