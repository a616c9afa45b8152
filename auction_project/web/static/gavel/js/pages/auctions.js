// The catalogue: filter, search, page; the cards on it change with the stream. The address holds the filter.

import { get, withQuery } from "../api.js";
import * as clock from "../clock.js";
import { byId, control, h, setText } from "../dom.js";
import { plural } from "../format.js";
import { empty, showPager, showProblem } from "../lists.js";
import { after, Card } from "../lots.js";
import { newest } from "../newest.js";
import { stream } from "../stream.js";

/** @import {Lot, Page} from "../bodies.d.ts" */
/** @typedef {{q: string, status: string, format: string, order: string, page: number}} Filter */

const PAGE_SIZE = 24;
const TYPING_MS = 300;
const REFRESH_MS = 10_000;
const OVER = ["SOLD_OUT", "CLOSED", "CANCELLED"];

const form = byId("filters", HTMLFormElement);
const list = byId("catalogue");
const search = control(form, "q");
const status = control(form, "status", HTMLSelectElement);
const order = control(form, "order", HTMLSelectElement);
/** @type {Map<string, Card>} */
let cards = new Map();
const begin = newest();

function readAddress() {
  const fields = new URLSearchParams(location.search);
  for (const field of [search, status, control(form, "format", HTMLSelectElement), order])
    field.value = fields.get(field.name) ?? field.value;
  if (!fields.has("order")) orderByEnd();
  return Number(fields.get("page")) || 1;
}

/** Lots that are over are listed with the latest end first, all others with the next end first. */
function orderByEnd() {
  if (order.value.endsWith("ends_at")) order.value = OVER.includes(status.value) ? "-ends_at" : "ends_at";
}

/** @param {number} page @returns {Filter} */
function filter(page) {
  return {
    q: search.value.trim(),
    status: status.value,
    format: control(form, "format", HTMLSelectElement).value,
    order: order.value,
    page,
  };
}

/** @param {Filter} fields */
function writeAddress(fields) {
  const address = withQuery("/", { ...fields, page: fields.page > 1 ? fields.page : "" });
  history.replaceState(
    null,
    "",
    fields.status === "" ? `${address}${address.includes("?") ? "&" : "?"}status=` : address,
  );
}

async function load(page = 1, { isQuiet = false } = {}) {
  const isNewest = begin();
  const fields = filter(page);
  try {
    /** @type {Page<Lot>} */
    const lots = await get(withQuery("/api/v1/auctions", { ...fields, page_size: PAGE_SIZE }), { auth: false });
    if (!isNewest()) return;
    showProblem(byId("problem"), null);
    show(lots.items);
    showPager(byId("pager"), lots, (target) => load(target).then(() => byId("content").focus()));
    if (fields.status === "OPEN" && !fields.q && !fields.format)
      setText(byId("open-count"), `${plural(lots.total, "lot")} open now`);
    if (!isQuiet) setText(byId("found"), `${plural(lots.total, "lot")} found`);
    writeAddress(fields);
  } catch (error) {
    if (isNewest() && !isQuiet) showProblem(byId("problem"), error, { retry: () => load(page) });
  }
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
  for (const card of fresh) follow(card);
}

function noLots() {
  const q = search.value.trim();
  const all = h("button", { class: "link", type: "button", onclick: showAll }, "show all lots");
  return empty(
    "No lots found",
    h("p", {}, q ? `Nothing matches “${q}”. Try other words, or ` : "Choose another filter, or ", all, "."),
  );
}

function showAll() {
  form.reset();
  status.value = "";
  load();
}

/** @param {Card[]} ordered */
function sameOrder(ordered) {
  return ordered.length === list.children.length && ordered.every((card, i) => list.children[i] === card.element);
}

/** @param {Card} card */
function follow(card) {
  if (["CLOSED", "CANCELLED"].includes(card.lot.status) || card.lot.ended) return;
  stream.watch(card.lot.id, card.lot.seq, {
    onFrame(frame) {
      const lot = after(card.lot, frame);
      if (lot) card.show(lot);
      else load(currentPage(), { isQuiet: true });
    },
    onLost: () => load(currentPage(), { isQuiet: true }),
  });
}

const currentPage = () => Number(new URLSearchParams(location.search).get("page")) || 1;

let typing = 0;
form.addEventListener("submit", (event) => {
  event.preventDefault();
  load();
});
form.addEventListener("change", (event) => {
  if (event.target === status) orderByEnd();
  load();
});
search.addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(() => load(), TYPING_MS);
});
setInterval(() => {
  if (!document.hidden) load(currentPage(), { isQuiet: true });
}, REFRESH_MS);
clock.onTick((now) => {
  for (const card of cards.values()) card.tick(now);
});

load(readAddress());
