// The catalogue: filter, search, page; the cards on it change with the stream. The address holds the filter.

import { get, withQuery } from "../api.js";
import * as clock from "../clock.js";
import { byId, h, setText } from "../dom.js";
import { plural } from "../format.js";
import { empty, showPager, showProblem } from "../lists.js";
import { after, Card } from "../lots.js";
import { stream } from "../stream.js";

const PAGE_SIZE = 24;
const TYPING_MS = 300;
const REFRESH_MS = 10_000;
const OVER = ["SOLD_OUT", "CLOSED", "CANCELLED"];

const form = byId("filters");
const list = byId("catalogue");
let cards = new Map();
let asked = 0;

function readAddress() {
  const fields = new URLSearchParams(location.search);
  for (const name of ["q", "status", "format", "order"]) if (fields.has(name)) form.elements[name].value = fields.get(name);
  if (!fields.has("order")) orderByEnd();
  return Number(fields.get("page")) || 1;
}

/** What is over is listed with the latest end first, all else with the next end first. */
function orderByEnd() {
  const { order, status } = form.elements;
  if (order.value.endsWith("ends_at")) order.value = OVER.includes(status.value) ? "-ends_at" : "ends_at";
}

function filter(page) {
  const { q, status, format, order } = Object.fromEntries(new FormData(form));
  return { q: q.trim(), status, format, order, page };
}

function writeAddress(fields) {
  const address = withQuery("/", { ...fields, page: fields.page > 1 ? fields.page : "" });
  history.replaceState(null, "", fields.status === "" ? `${address}${address.includes("?") ? "&" : "?"}status=` : address);
}

async function load(page = 1, { isQuiet = false } = {}) {
  const number = (asked += 1);
  const fields = filter(page);
  try {
    const found = await get(withQuery("/api/v1/auctions", { ...fields, page_size: PAGE_SIZE }), { auth: false });
    if (number !== asked) return;
    showProblem(byId("problem"), null);
    show(found.items);
    showPager(byId("pager"), found, (target) => load(target).then(() => byId("content").focus()));
    if (fields.status === "OPEN" && !fields.q && !fields.format) setText(byId("open-count"), `${plural(found.total, "lot")} open now`);
    if (!isQuiet) setText(byId("found"), `${plural(found.total, "lot")} found`);
    writeAddress(fields);
  } catch (error) {
    if (number === asked && !isQuiet) showProblem(byId("problem"), error, { retry: () => load(page) });
  }
}

function show(lots) {
  const kept = new Map();
  for (const lot of lots) {
    const card = cards.get(lot.id) ?? new Card(lot);
    if (lot.seq > card.lot.seq) card.show({ ...card.lot, ...lot });
    kept.set(lot.id, card);
  }
  for (const id of cards.keys()) if (!kept.has(id)) stream.unwatch(id);
  const news = [...kept.keys()].filter((id) => !cards.has(id));
  cards = kept;
  if (lots.length === 0) list.replaceChildren(h("li", { class: "nothing" }, noLots()));
  else if (!sameOrder([...kept.values()])) list.replaceChildren(...[...kept.values()].map((card) => card.element));
  for (const id of news) follow(id);
}

function noLots() {
  const q = form.elements.q.value.trim();
  const all = h("button", { class: "link", type: "button", onclick: showAll }, "show all lots");
  return empty("No lots found", h("p", {}, q ? `Nothing matches “${q}”. Try other words, or ` : "Choose another filter, or ", all, "."));
}

function showAll() {
  form.reset();
  form.elements.status.value = "";
  load();
}

function sameOrder(wanted) {
  return wanted.length === list.children.length && wanted.every((card, i) => list.children[i] === card.element);
}

function follow(id) {
  const card = cards.get(id);
  if (["CLOSED", "CANCELLED"].includes(card.lot.status) || card.lot.ended) return;
  stream.watch(id, card.lot.seq, {
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
  if (event.target === form.elements.status) orderByEnd();
  load();
});
form.elements.q.addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(() => load(), TYPING_MS);
});
setInterval(() => {
  if (!document.hidden) load(currentPage(), { isQuiet: true });
}, REFRESH_MS);
clock.onTick((now) => cards.forEach((card) => card.tick(now)));

load(readAddress());
