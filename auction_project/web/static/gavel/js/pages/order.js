// One order with the timeline of its facts. It is asked for again while it is under way: until the saga has placed it,
// the list has no such order, and the page shows the sale from the notifications.

import { get, me, Problem, withQuery } from "../api.js";
import { byId, chip, h, note, setText } from "../dom.js";
import { instant, money, plural } from "../format.js";
import { showProblem } from "../lists.js";
import { loadSales, orderStatus, saleAsOrder, steps } from "../progress.js";
import { stream } from "../stream.js";

const AGAIN_MS = 1_500;
const PATIENCE_MS = 4_000; // for a sale whose notification is still on its way

const place = byId("order");
const number = place.dataset.number;
const began = Date.now();
let again = 0;
let isPlaced = false;
let shown = "";

const FACTS = {
  "order PLACED": ["Order placed", ""],
  "order CONFIRMED": ["Order confirmed", "good"],
  "order CANCELLED": ["Order cancelled", "bad"],
  "payment STARTED": ["Payment started", ""],
  "payment CAPTURED": ["Payment captured", "good"],
  "payment DECLINED": ["Payment declined", "bad"],
  "payment CANCELLING": ["Payment being cancelled", ""],
  "payment CANCELLED": ["Payment cancelled", "bad"],
  "payment REFUNDING": ["Refund started", ""],
  "payment REFUNDED": ["Payment refunded", ""],
  "payment TIMED_OUT": ["No answer from the payment provider", ""],
  "sale won": ["You won the lot", "good"],
  "sale order_cancelled": ["Sale cancelled", "bad"],
  "sale order_confirmed": ["Order confirmed", "good"],
  "payment payment_declined": ["Payment declined", "bad"],
};

function fact({ at, about, kind, detail }) {
  const [word, mood] = FACTS[`${about} ${kind}`] ?? [`${about} ${kind.toLowerCase().replaceAll("_", " ")}`, ""];
  return h("li", { class: mood }, h("p", {}, h("strong", {}, word)), detail && h("p", {}, detail), h("p", { class: "muted small figure" }, instant(at)));
}

function show(order) {
  const text = JSON.stringify(order);
  if (text === shown) return;
  shown = text;
  const [word, mood] = orderStatus(order.status);
  setText(byId("title"), order.title);
  document.title = `${order.title} · Gavel`;
  place.removeAttribute("aria-busy");
  place.replaceChildren(
    steps(order),
    h(
      "div",
      { class: "columns" },
      h("section", { "aria-labelledby": "timeline-title" }, h("h2", { id: "timeline-title" }, "What happened"), h("ol", { class: "timeline" }, order.timeline.map(fact))),
      h("section", { class: "panel", "aria-labelledby": "summary-title" }, h("h2", { id: "summary-title" }, "Summary"), summary(order, chip(word, mood)), outcome(order)),
    ),
  );
  setText(byId("announcer"), `Order ${word.toLowerCase()}`);
}

function summary(order, status) {
  const lines = [
    ["Status", status],
    ["Total", order.amount ? money(order.amount, order.currency) : "–"],
    ["Units", plural(order.quantity, "unit")],
    ["Number", h("code", {}, order.number)],
    ["Lot", order.auction_id ? h("a", { href: `/auctions/${order.auction_id}` }, "View the lot") : "–"],
  ];
  return h("dl", { class: "facts" }, lines.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
}

function outcome(order) {
  if (order.status === "CONFIRMED") return note("good", "Order confirmed", "Paid and reserved for you.");
  if (order.status !== "CANCELLED") return note("", "In progress", "This page updates automatically.");
  const isRefunded = order.payment === "REFUNDED";
  const reason = order.reason ? `${order.reason[0].toUpperCase()}${order.reason.slice(1)}. ` : "";
  return note("bad", "Cancelled", `${reason}${isRefunded ? "Your payment has been refunded." : "You have not been charged."}`);
}

async function load() {
  clearTimeout(again);
  try {
    const order = await find();
    if (order) show(order);
    showProblem(byId("problem"), null);
  } catch (error) {
    const isUnknown = error instanceof Problem && error.status === 404;
    place.replaceChildren();
    showProblem(byId("problem"), error, { retry: isUnknown ? null : load });
    return;
  }
  if (!/"status":"(CONFIRMED|CANCELLED)"/.test(shown)) again = setTimeout(load, AGAIN_MS);
}

/** The order or, before there is one, its sale; null while neither is known. An operator sees every order. */
async function find() {
  isPlaced ||= (await get(withQuery("/api/v1/orders", { number }))).total > 0;
  if (!isPlaced) {
    const sale = saleAsOrder(number, (await loadSales()).get(number));
    if (sale) return sale;
    if (!me.has("operator") && Date.now() - began < PATIENCE_MS) return null;
  }
  return get(`/api/v1/orders/${number}`);
}

stream.addEventListener("notification", ({ detail }) => {
  if (detail.data.order_number === number) load();
});
load();
