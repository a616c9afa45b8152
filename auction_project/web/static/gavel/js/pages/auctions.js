// The catalogue: search, filters with counts, pages; the cards on it change with the stream. The address holds the filter, so that
// Back undoes a choice. The counts come after the list, which does not wait for them. The list follows what is typed, and never
// changes the text under the reader's hands; an option that the arrows reach is searched for when it is chosen. A reader who is signed
// in can save a search, and gets a notice of each new lot that it finds.

import { get, withQuery } from "../api.js";
import * as clock from "../clock.js";
import { byId, control, h, readJson, setText } from "../dom.js";
import { plural } from "../format.js";
import { empty, showPager, showProblem } from "../lists.js";
import { after, Card } from "../lots.js";
import {
  addressOfLots,
  changed,
  isAllOpen,
  narrowingLots,
  orderOf,
  queryOfLots,
  RELEVANCE,
  readLots,
  widened,
} from "../lots_filter.js";
import * as narrowed from "../narrowing.js";
import { newest } from "../newest.js";
import { savedSearches } from "../saved_searches.js";
import { amongLots } from "../searches.js";
import { stream } from "../stream.js";
import { suggest } from "../suggestions.js";

/** @import {Lot, LotFacets, LotPage} from "../bodies.d.ts" */
/** @import {LotFilter} from "../lots_filter.js" */

const PAGE_SIZE = 24;
const TYPING_MS = 300;
const REFRESH_MS = 10_000;
const CURRENCY = "EUR"; // of a price range when the page knows no other
const SOON = "Within a day";

const words = byId("search", HTMLFormElement);
const form = byId("filters", HTMLFormElement);
const list = byId("catalogue");
const title = byId("lots-title");
const search = control(words, "q");
const status = control(form, "status", HTMLSelectElement);
const order = byId("order", HTMLSelectElement);
/** @type {Map<string, string>} */
const formats = new Map(readJson("formats"));
/** @type {Map<string, Card>} */
let cards = new Map();
let filter = readLots(location.search);
let currency = CURRENCY;
/** @type {LotFacets | null} */
let facets = null; // while lots cannot be counted, the choices go without
const begin = newest();
const saved = savedSearches();
let typing = 0;

/**
 * Go to another filter with the words of the field, as a step of the history; what is typed replaces the step.
 * @param {Partial<LotFilter>} change
 * @param {{isTyped?: boolean}} [how]
 */
function go(change, { isTyped = false } = {}) {
  const address = addressOfLots("/", changed(filter, { q: search.value.trim(), ...change }));
  if (isTyped) history.replaceState(null, "", address);
  else if (address !== location.pathname + location.search) history.pushState(null, "", address);
  return follow({ isTyped });
}

/** Show what the address says. @param {{isTyped?: boolean}} [how] */
function follow({ isTyped = false } = {}) {
  clearTimeout(typing);
  filter = readLots(location.search);
  if (!isTyped) search.value = filter.q;
  return load();
}

async function load({ isQuiet = false } = {}) {
  const isNewest = begin({ isRefresh: isQuiet });
  if (!isQuiet) {
    showFilter();
    saved.show(amongLots(queryOfLots(filter, currency)));
    list.setAttribute("aria-busy", "true");
  }
  try {
    /** @type {LotPage} */
    const lots = await get(withQuery("/api/v1/auctions", { ...queryOfLots(filter, currency), page_size: PAGE_SIZE }), {
      auth: false,
    });
    if (!isNewest()) return;
    showProblem(byId("problem"), null);
    currency = filter.currency || lots.items[0]?.currency || currency;
    show(lots.items);
    showPager(byId("pager"), lots, (page) => go({ page: page > 1 ? String(page) : "" }).then(() => title.focus()));
    const total = plural(lots.total, "lot");
    setText(title, total);
    if (isAllOpen(filter)) setText(byId("open-count"), `${total} open now`);
    if (!isQuiet) {
      setText(byId("found"), `${total} found`);
      count();
    }
  } catch (error) {
    if (isNewest() && !isQuiet) showProblem(byId("problem"), error, { retry: load });
  }
  list.removeAttribute("aria-busy");
}

async function count() {
  const isNewest = begin({ isRefresh: true });
  const query = { ...queryOfLots(filter, currency), page: 1, page_size: 1, facets: true };
  /** @type {LotFacets | null} */
  let counted = null;
  try {
    counted = (await get(withQuery("/api/v1/auctions", query), { auth: false })).facets;
  } catch {
    // the list is there
  }
  if (!isNewest()) return;
  facets = counted;
  showFacets();
}

/** @param {Lot[]} lots */
function show(lots) {
  /** @type {Map<string, Card>} */
  const shown = new Map();
  for (const lot of lots) {
    const card = cards.get(lot.id) ?? new Card(lot);
    if (lot.seq > card.lot.seq) card.show({ ...card.lot, ...lot });
    shown.set(lot.id, card);
  }
  for (const id of cards.keys()) if (!shown.has(id)) stream.unwatch(id);
  const fresh = [...shown.values()].filter((card) => !cards.has(card.lot.id));
  cards = shown;
  if (lots.length === 0) list.replaceChildren(h("li", { class: "nothing" }, noLots()));
  else if (!sameOrder([...shown.values()])) list.replaceChildren(...[...shown.values()].map((card) => card.element));
  for (const card of fresh) watch(card);
}

function noLots() {
  const isNarrowed = narrowingLots(filter) > 0;
  const wider = isNarrowed
    ? h("button", { class: "link", type: "button", onclick: clear }, "clear the filters")
    : h("button", { class: "link", type: "button", onclick: () => go({ q: "", status: "" }) }, "show all lots");
  const text = filter.q ? `Nothing matches “${filter.q}”. Try other words, or ` : "Choose another filter, or ";
  return empty("No lots found", h("p", {}, text, wider, "."));
}

function clear() {
  go(widened(filter));
  title.focus();
}

/** Put the filter of the address where the reader sees it. */
function showFilter() {
  status.value = filter.status;
  for (const option of order.options) option.hidden = option.value === RELEVANCE && !filter.q;
  order.value = orderOf(filter);
  narrowed.showPrices(form, filter);
  showFacets();
  narrowed.showChips(
    [
      { text: formats.get(filter.format) ?? filter.format, remove: () => go({ format: "" }) },
      { text: filter.ending_soon && `Ends ${SOON.toLowerCase()}`, remove: () => go({ ending_soon: "" }) },
      { text: narrowed.priceWord(filter, currency), remove: () => go(narrowed.NO_PRICES) },
    ],
    title,
  );
}

function showFacets() {
  /** @type {Map<string, number>} */
  const counts = new Map(facets?.formats.map(({ value, count }) => [value, count]));
  /** @param {string} value */
  const countOf = (value) => (facets ? (counts.get(value) ?? 0) : null);
  choices(
    "format",
    [...formats].map(([value, name]) => ({ value, name, count: countOf(value) })),
  );
  choices("ending_soon", [{ value: "true", name: SOON, count: facets?.ending_soon ?? null }]);
  narrowed.showRange(facets?.prices);
}

/** @param {"format" | "ending_soon"} name @param {narrowed.Choice[]} values */
function choices(name, values) {
  narrowed.showChoices(name, values, {
    chosen: filter[name],
    nameOf: (value) => value,
    hrefOf: (value) => addressOfLots("/", changed(filter, { [name]: value })),
    go: (value) => go({ [name]: value }),
  });
}

/** @param {Card[]} ordered */
function sameOrder(ordered) {
  return ordered.length === list.children.length && ordered.every((card, i) => list.children[i] === card.element);
}

/** @param {Card} card */
function watch(card) {
  if (["CLOSED", "CANCELLED"].includes(card.lot.status) || card.lot.ended) return;
  stream.watch(card.lot.id, card.lot.seq, {
    onFrame(frame) {
      const lot = after(card.lot, frame);
      if (lot) card.show(lot);
      else load({ isQuiet: true });
    },
    onLost: () => load({ isQuiet: true }),
  });
}

words.addEventListener("submit", (event) => {
  event.preventDefault();
  go({});
});
search.addEventListener("input", () => {
  clearTimeout(typing);
  const q = search.value.trim();
  typing = setTimeout(() => go({ q }, { isTyped: true }), TYPING_MS);
});
status.addEventListener("change", () => go({ status: status.value }));
order.addEventListener("change", () => go({ order: order.value }));
form.addEventListener("submit", (event) => {
  event.preventDefault();
  const prices = narrowed.readPrices(form, currency);
  if (prices) go(prices);
});
byId("widen").addEventListener("click", clear);
suggest(search, "/api/v1/auctions/suggestions");
addEventListener("popstate", () => follow());
setInterval(() => {
  if (!document.hidden) load({ isQuiet: true });
}, REFRESH_MS);
clock.onTick((now) => {
  for (const card of cards.values()) card.tick(now);
});
narrowed.foldOnPhones(byId("narrow", HTMLDetailsElement));
follow();
