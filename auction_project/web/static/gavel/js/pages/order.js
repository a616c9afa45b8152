// One order with the timeline of its facts, and what its reader may do with it. It is loaded again while something is under way. Until the saga has placed it there is no such
// order, and the page shows the sale from the notifications.

import { get, me, withQuery } from "../api.js";
import { shortDate } from "../dates.js";
import { byId, chip, h, note, setText } from "../dom.js";
import { isNotFound } from "../errors.js";
import { money, plural } from "../format.js";
import { showProblem } from "../lists.js";
import { acts, unitsOf } from "../order_acts.js";
import { isUnderWay, loadSales, orderStatus, saleAsOrder, steps } from "../progress.js";
import { inSentence } from "../reasons.js";
import { postal } from "../shop/addresses.js";
import { totals } from "../shop/totals.js";
import { stream } from "../stream.js";

/** @import {Label, Order, OrderFact, ReturnState} from "../bodies.d.ts" */

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
  "shipment SHIPPED": ["Shipped", "good"],
  "shipment DELIVERED": ["Delivered", "good"],
  "return RETURNED": ["Units came back", ""],
  "return_request ASKED": ["Return asked for", ""],
  "return_request ACCEPTED": ["Return accepted", "good"],
  "return_request DECLINED": ["Return declined", "bad"],
  "return_request WITHDRAWN": ["Return withdrawn", ""],
  "refund PENDING": ["Refund on its way", ""],
  "refund DONE": ["Refunded", "good"],
  "order SHIPPED": ["Everything is shipped", "good"],
  "order DELIVERED": ["Everything is delivered", "good"],
  "order RETURNED": ["Everything came back", ""],
  "order REFUNDED": ["Everything is refunded", ""],
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
    thanks(order) ?? "",
    steps(order),
    h(
      "div",
      { class: "columns" },
      h(
        "section",
        { "aria-labelledby": "timeline-title" },
        ordered(order),
        h("h2", { id: "timeline-title" }, "What happened"),
        h("ol", { class: "timeline" }, order.timeline.map(fact)),
      ),
      h(
        "section",
        { class: "panel", "aria-labelledby": "summary-title" },
        h("h2", { id: "summary-title" }, "Summary"),
        summary(order, chip(word, mood)),
        outcome(order),
        whereTo(order),
        parcels(order),
        requests(order),
        moneyBack(order),
        acts(order, (changed) => {
          show(changed);
          lookAgain();
        }),
      ),
    ),
  );
  setText(byId("announcer"), `Order ${word.toLowerCase()}`);
}

/** What a buyer who comes from the checkout reads first. @param {Order} order */
const thanks = ({ status }) =>
  location.hash === "#paid" && status !== "CANCELLED"
    ? note(
        "good",
        "Thank you for your order",
        "It is paid. We have sent you a receipt, and tell you when it is on its way.",
      )
    : null;

/** The lines with their sums; an order that was not placed has none. @param {Order} order */
function ordered({ lines = [], shipping, amount, currency }) {
  if (!lines.length) return null;
  return h(
    "div",
    { class: "ordered" },
    h("h2", {}, "What was ordered"),
    h(
      "ul",
      { class: "bought" },
      lines.map((line) =>
        h(
          "li",
          {},
          h(
            "span",
            {},
            line.auction_id ? h("a", { href: `/auctions/${line.auction_id}` }, line.title) : line.title,
            h("span", { class: "muted" }, `\u00a0× ${line.quantity}`),
          ),
          h("span", { class: "figure" }, money(line.amount, currency)),
        ),
      ),
    ),
    h("dl", { class: "totals" }, totals({ shipping: shipping ?? null, total: amount, currency })),
  );
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
  ];
  if (order.auction_id) lines.push(["Lot", h("a", { href: `/auctions/${order.auction_id}` }, "View the lot")]);
  return h(
    "dl",
    { class: "facts" },
    lines.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]),
  );
}

/** @param {Order} order */
function whereTo({ address }) {
  return address ? h("section", {}, h("h3", {}, "Ships to"), postal(address)) : null;
}

/** @param {Order} order */
function parcels({ shipments = [] }) {
  if (!shipments.length) return null;
  return h(
    "section",
    {},
    h("h3", {}, shipments.length === 1 ? "Parcel" : "Parcels"),
    h(
      "ul",
      { class: "bullets" },
      shipments.map(({ carrier, tracking_number, shipped_at, delivered_at }) =>
        h(
          "li",
          {},
          h("strong", {}, carrier),
          tracking_number && [" · ", h("code", {}, tracking_number)],
          h("br"),
          h("span", { class: "muted small" }, `Shipped ${shortDate(shipped_at)}`),
          delivered_at ? h("span", { class: "muted small" }, `, delivered ${shortDate(delivered_at)}`) : null,
        ),
      ),
    ),
  );
}

/** @type {Record<ReturnState, Label>} */
const REQUESTS = {
  ASKED: ["Waits for an answer", "warn"],
  ACCEPTED: ["Accepted", "good"],
  DECLINED: ["Declined", "bad"],
  RETURNED: ["Came back", ""],
  WITHDRAWN: ["Withdrawn", ""],
};

/** What the buyer asks to return, and what became of it. @param {Order} order */
function requests(order) {
  const asked = order.return_requests ?? [];
  if (!asked.length) return null;
  return h(
    "section",
    {},
    h("h3", {}, asked.length === 1 ? "Request for a return" : "Requests for returns"),
    h(
      "ul",
      { class: "bullets" },
      asked.map((request) =>
        h(
          "li",
          {},
          h("strong", {}, unitsOf(request.lines, order)),
          " ",
          chip(...REQUESTS[request.status]),
          h("br"),
          `“${request.reason}” `,
          h("span", { class: "muted small" }, shortDate(request.at)),
          request.answer && [h("br"), `Answer: ${inSentence(request.answer)}`],
          request.status === "ACCEPTED" && order.role === "buyer" && !request.answer
            ? [h("br"), "Send it back, with the number of the order in the parcel."]
            : null,
        ),
      ),
    ),
  );
}

/** @param {Order} order */
function moneyBack({ refunds = [], refunded, returns = [], lines = [], currency, role }) {
  if (!refunds.length && !returns.length) return null;
  const titles = new Map(lines.map(({ product_id, title }) => [product_id, title]));
  const payer = role === "buyer" ? "you" : "the buyer";
  /** @param {{product_id: string, quantity: number, damaged: boolean}} line */
  const unit = ({ product_id, quantity, damaged }) =>
    `${quantity} × ${titles.get(product_id) ?? "an item"}${damaged ? " (damaged)" : ""}`;
  return h(
    "section",
    {},
    h("h3", {}, "Returns and refunds"),
    h(
      "ul",
      { class: "bullets" },
      returns.map((back) =>
        h("li", {}, `Came back ${shortDate(back.at)}: ${back.lines.map(unit).join(", ")}. ${inSentence(back.reason)}`),
      ),
      refunds.map((refund) =>
        h(
          "li",
          {},
          `${money(refund.amount, currency)} ${refund.status === "DONE" ? "refunded" : `on its way back to ${payer}`}. ${inSentence(refund.reason)}`,
        ),
      ),
    ),
    refunds.length > 1 ? h("p", { class: "muted small" }, `In all ${money(refunded, currency)}.`) : null,
  );
}

/** What the status means to its reader; sellers read their lines instead. @param {Order} order */
function outcome(order) {
  const { status, role } = order;
  if (role === "seller" || status === "RETURNED" || status === "REFUNDED") return null;
  if (isUnderWay(order)) return note("", "In progress", "This page updates automatically.");
  const reason = order.reason ? inSentence(order.reason) : "";
  if (role === "operator") return status === "CANCELLED" ? note("bad", "Cancelled", reason) : null;
  if (status === "CONFIRMED")
    return note("good", "Order confirmed", "Paid and reserved for you. We tell you when it is shipped.");
  if (status === "SHIPPED") return note("good", "On its way to you", until(order));
  if (status === "DELIVERED") return note("good", "Delivered", until(order));
  const money =
    order.payment === "REFUNDED"
      ? "Your payment has been refunded."
      : "You pay nothing: if your card was charged, you get a full refund.";
  return note("bad", "Cancelled", `${reason} ${money}`.trim());
}

/** Until when the first of the parts can be returned. @param {Order} order */
function until({ returnable = [] }) {
  const first = Math.min(...returnable.map((line) => line.until));
  return Number.isFinite(first) ? `You can ask for a return until ${shortDate(first)}.` : "";
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
  lookAgain();
}

/** Load once more, while something goes on: a sale that settles, a refund that the provider makes. */
function lookAgain() {
  clearTimeout(timer);
  const isWaited = /"status":"(SETTLING|PLACED|PENDING)"/.test(shown);
  if (shown ? isWaited : Date.now() - began < PATIENCE_MS) timer = setTimeout(load, AGAIN_MS);
}

/** The order or, before there is one, its sale; null when neither is known. An operator sees every order. @returns {Promise<Order | null>} */
async function find() {
  for (const role of me.has("seller") ? ["", "seller"] : [""])
    isPlaced ||= (await get(withQuery("/api/v1/orders", { number, role }))).total > 0;
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
