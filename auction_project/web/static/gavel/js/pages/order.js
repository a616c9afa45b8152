// One order with the timeline of its facts. It is loaded again until it is final. Until the saga has placed it there is no such
// order, and the page shows the sale from the notifications.

import { get, me, withQuery } from "../api.js";
import { shortDate } from "../dates.js";
import { byId, chip, h, note, setText } from "../dom.js";
import { isNotFound } from "../errors.js";
import { money, plural } from "../format.js";
import { showProblem } from "../lists.js";
import { loadSales, orderStatus, saleAsOrder, steps } from "../progress.js";
import { inSentence } from "../reasons.js";
import { stream } from "../stream.js";

/** @import {Label, Order, OrderFact} from "../bodies.d.ts" */

const AGAIN_MS = 1_500;
const PATIENCE_MS = 4_000; // so long the page looks for a sale whose notification is still on its way

const container = byId("order");
const number = container.dataset.number ?? "";
const began = Date.now();
let timer = 0;
let isPlaced = false;
/** The order that is shown, as JSON. */
let shown = "";

/** @type {{[fact: string]: Label}} */
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
  "sale won": ["You bought the lot", "good"],
  "sale order_cancelled": ["Sale cancelled", "bad"],
  "sale order_confirmed": ["Order confirmed", "good"],
  "payment payment_declined": ["Payment declined", "bad"],
};

/** @param {OrderFact} fact */
function fact({ at, about, kind, detail }) {
  const [word, mood] = FACTS[`${about} ${kind}`] ?? [`${about} ${kind.toLowerCase().replaceAll("_", " ")}`, ""];
  return h(
    "li",
    { class: mood },
    h("p", {}, h("strong", {}, word)),
    detail && h("p", {}, inSentence(detail)),
    h("p", { class: "muted small figure" }, shortDate(at)),
  );
}

/** @param {Order} order */
function show(order) {
  const text = JSON.stringify(order);
  if (text === shown) return;
  shown = text;
  const [word, mood] = orderStatus(order.status);
  setText(byId("title"), order.title);
  document.title = `${order.title} · Gavel`;
  container.removeAttribute("aria-busy");
  container.replaceChildren(
    steps(order),
    h(
      "div",
      { class: "columns" },
      h(
        "section",
        { "aria-labelledby": "timeline-title" },
        h("h2", { id: "timeline-title" }, "What happened"),
        h("ol", { class: "timeline" }, order.timeline.map(fact)),
      ),
      h(
        "section",
        { class: "panel", "aria-labelledby": "summary-title" },
        h("h2", { id: "summary-title" }, "Summary"),
        summary(order, chip(word, mood)),
        outcome(order),
      ),
    ),
  );
  setText(byId("announcer"), `Order ${word.toLowerCase()}`);
}

/**
 * @param {Order} order
 * @param {HTMLElement} status
 */
function summary(order, status) {
  /** @type {[name: string, value: HTMLElement | string][]} */
  const lines = [
    ["Status", status],
    ["Total", order.amount ? money(order.amount, order.currency) : "–"],
    ["Units", plural(order.quantity, "unit")],
    ["Number", h("code", {}, order.number)],
    ["Lot", order.auction_id ? h("a", { href: `/auctions/${order.auction_id}` }, "View the lot") : "–"],
  ];
  return h(
    "dl",
    { class: "facts" },
    lines.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]),
  );
}

/** @param {Order} order */
function outcome(order) {
  if (order.status === "CONFIRMED") return note("good", "Order confirmed", "Paid and reserved for you.");
  if (order.status !== "CANCELLED") return note("", "In progress", "This page updates automatically.");
  const isRefunded = order.payment === "REFUNDED";
  const reason = order.reason ? `${inSentence(order.reason)} ` : "";
  const money = isRefunded
    ? "Your payment has been refunded."
    : "You pay nothing: if your card was charged, you get a full refund.";
  return note("bad", "Cancelled", reason + money);
}

async function load() {
  clearTimeout(timer);
  try {
    const order = await find();
    if (order) show(order);
    else showUnknown();
    showProblem(byId("problem"), null);
  } catch (error) {
    container.replaceChildren();
    showProblem(byId("problem"), error, { retry: isNotFound(error) ? null : load });
    return;
  }
  const isFinal = /"status":"(CONFIRMED|CANCELLED)"/.test(shown);
  if (!isFinal && (shown || Date.now() - began < PATIENCE_MS)) timer = setTimeout(load, AGAIN_MS);
}

/** The order or, before there is one, its sale; null when neither is known. An operator sees every order. @returns {Promise<Order | null>} */
async function find() {
  isPlaced ||= (await get(withQuery("/api/v1/orders", { number }))).total > 0;
  if (isPlaced) return get(`/api/v1/orders/${number}`);
  const sale = saleAsOrder(number, (await loadSales()).get(number));
  return sale ?? (me.has("operator") ? get(`/api/v1/orders/${number}`) : null);
}

function showUnknown() {
  container.removeAttribute("aria-busy");
  container.replaceChildren(
    note(
      "warn",
      "Order not found",
      "You have no order with this number. One that you made just now appears here by itself.",
    ),
  );
}

stream.addEventListener("notification", ({ detail }) => {
  if (detail.data.order_number === number) load();
});
load();
