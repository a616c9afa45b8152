// How far a sale has come: the steps of an order, from its body or, before there is one, from my notifications.

import { get } from "./api.js";
import { h } from "./dom.js";
import { REASONS } from "./reasons.js";

/** @import {Label, Notification, NotificationData, Order, OrderStatus} from "./bodies.d.ts" */

const STEPS = ["Bought", "Paid", "Confirmed", "Shipped", "Delivered"];
/** How many steps an order of a status has behind it. @type {Partial<Record<OrderStatus, number>>} */
const REACHED = { PLACED: 2, CONFIRMED: 3, REFUNDED: 3, SHIPPED: 4, DELIVERED: 5, RETURNED: 5 };
/** The house still works on these by itself. @type {OrderStatus[]} */
const UNDER_WAY = ["SETTLING", "PLACED"];
const PAID = ["CAPTURED", "REFUNDING", "REFUNDED"];
const ABOUT_SALES = new Set(["won", "order_confirmed", "order_cancelled", "payment_declined"]);
const FEED_LIMIT = 200;

/** My notifications about sales, by order number, oldest first. A lot that is paid in the shop is in the cart, and then in an order of
 * another number. @returns {Promise<Map<string, Notification[]>>} */
export async function loadSales() {
  /** @type {{items: Notification[]}} */
  const { items } = await get(`/api/v1/notifications?limit=${FEED_LIMIT}`);
  /** @type {Map<string, Notification[]>} */
  const sales = new Map();
  for (const item of items) {
    const number = item.data.order_number;
    if (!number || !ABOUT_SALES.has(item.kind)) continue;
    if (item.kind === "won" && item.data.pay_by_at) continue;
    sales.set(number, [...(sales.get(number) ?? []), item]);
  }
  return sales;
}

/**
 * A sale that has no order (yet), in the form of an order; null without a notification.
 * @param {string} number
 * @param {Notification[] | undefined} items
 * @returns {Order | null}
 */
export function saleAsOrder(number, items) {
  const first = items?.[0];
  if (!items || !first) return null;
  /** @param {string} kind */
  const find = (kind) => items.find((item) => item.kind === kind);
  const won = find("won");
  const cancelled = find("order_cancelled");
  const declined = find("payment_declined");
  /** @type {NotificationData} */
  const data = { ...declined?.data, ...cancelled?.data, ...won?.data };
  return {
    number,
    status: cancelled ? "CANCELLED" : "SETTLING",
    title: data.title || `Order ${number}`,
    quantity: data.quantity ?? 1,
    amount: data.price ?? data.amount ?? null,
    currency: data.currency ?? "EUR",
    placed_at: first.at,
    auction_id: data.auction_id,
    payment: declined ? "DECLINED" : null,
    reason: cancelled ? reasonOf(cancelled.data) : "",
    timeline: items.map((item) => ({
      at: item.at,
      about: item.kind === "payment_declined" ? "payment" : "sale",
      kind: item.kind,
      detail: [item.text, item.data.detail].filter(Boolean).join(". "),
    })),
  };
}

/** @param {NotificationData} data */
const reasonOf = ({ reason = "" }) => REASONS[reason] ?? reason;

/** The steps of an order as a list: the one that is due pulses, the one that failed is marked. @param {Order} order */
export function steps(order) {
  const isCancelled = order.status === "CANCELLED";
  const reached = REACHED[order.status] ?? (PAID.includes(order.payment ?? "") ? 2 : 1);
  const isMoving = isUnderWay(order);
  return h(
    "ol",
    { class: "steps", "aria-label": "Progress" },
    STEPS.map((name, i) => {
      const state =
        i < reached ? "done" : i === reached && isCancelled ? "failed" : i === reached && isMoving ? "now" : "";
      const word = state === "failed" ? (name === "Paid" ? "Not paid" : "Cancelled") : name;
      const hidden = {
        done: ": done",
        now: ": in progress",
        failed: "",
        "": isCancelled ? ": not reached" : ": to come",
      }[state];
      return h(
        "li",
        { class: state, "aria-current": state === "now" ? "step" : null },
        word,
        h("span", { class: "visually-hidden" }, hidden),
      );
    }),
  );
}

/** @type {Record<OrderStatus, Label>} */
const STATUS = {
  SETTLING: ["In progress", "warn"],
  PLACED: ["Placed", "warn"],
  CONFIRMED: ["Confirmed", "good"],
  SHIPPED: ["Shipped", "good"],
  DELIVERED: ["Delivered", "good"],
  RETURNED: ["Returned", ""],
  REFUNDED: ["Refunded", ""],
  CANCELLED: ["Cancelled", "bad"],
};

/** Whether its status changes within seconds. @param {Pick<Order, "status">} order */
export const isUnderWay = ({ status }) => UNDER_WAY.includes(status);

/** @param {OrderStatus} status @returns {Label} */
export const orderStatus = (status) => STATUS[status] ?? [status, ""];
