// What the reader of an order may do with it, each act as a form that opens: a seller ships, notes that it has arrived and answers who asks
// for a return; a buyer cancels, asks for returns and withdraws that; an operator also gives money back and takes units back. Each is sent under one
// key until it is answered.

import { amountHint, readAmount } from "./amount.js";
import { create } from "./creating.js";
import { h, note } from "./dom.js";
import { showProblem } from "./lists.js";

/** @import {Order, OrderAct, OrderLine, ReturnRequest} from "./bodies.d.ts" */
/** @typedef {{element: HTMLElement, read: () => unknown}} Field `read` throws InvalidEntry. */
/**
 * @typedef {object} Act
 * @property {string} title
 * @property {string} button
 * @property {string} path
 * @property {string} style Of the button.
 * @property {(order: Order) => {[name: string]: Field}} fields
 * @property {{[name: string]: unknown}} [always] What the form sends beside what the reader enters.
 */

const MAX_REASON = 500;

/** What was entered cannot be sent. */
class InvalidEntry extends Error {}

/** @type {Record<Exclude<OrderAct, "decide_return" | "withdraw_return">, Act>} */
const ACTS = {
  ship: {
    title: "Ship",
    button: "Mark as shipped",
    path: "shipments",
    style: "button",
    fields: () => ({ carrier: text("Carrier"), tracking_number: text("Tracking number (optional)", false) }),
  },
  deliver: { title: "Delivered", button: "Mark as delivered", path: "deliveries", style: "button", fields: () => ({}) },
  cancel: {
    title: "Cancel the order",
    button: "Cancel the order",
    path: "cancellation",
    style: "button danger",
    fields: () => ({ reason: text("Reason") }),
  },
  refund: {
    title: "Refund",
    button: "Refund",
    path: "refunds",
    style: "button",
    fields: ({ currency }) => ({
      amount: amount("Amount (empty: all that is left)", currency),
      reason: text("Reason"),
    }),
  },
  return: {
    title: "Take units back",
    button: "Note the return",
    path: "returns",
    style: "button",
    fields: ({ lines = [] }) => ({ lines: units(lines), reason: text("Reason") }),
  },
  ask_return: {
    title: "Return something",
    button: "Ask for a return",
    path: "return-requests",
    style: "button",
    fields: (order) => ({ lines: wanted(order), reason: text("Why do you want to return it?") }),
  },
};

/** The answers to a request for a return, as far as the reader may give them. @param {ReturnRequest} request @param {Order} order */
function answers(request, order) {
  const path = `return-requests/${request.id}/decision`;
  const what = unitsOf(request.lines, order);
  /** @type {Record<"accept" | "decline" | "withdraw", Act>} */
  const all = {
    accept: {
      title: `Accept the return of ${what}`,
      button: "Accept the return",
      path,
      style: "button",
      fields: () => ({ reason: text("How to send it back (optional)", false) }),
      always: { accept: true },
    },
    decline: {
      title: `Decline the return of ${what}`,
      button: "Decline the return",
      path,
      style: "button danger",
      fields: () => ({ reason: text("Reason") }),
      always: { accept: false },
    },
    withdraw: {
      title: `Withdraw the request for ${what}`,
      button: "Withdraw the request",
      path: `return-requests/${request.id}/withdrawal`,
      style: "button",
      fields: () => ({}),
    },
  };
  return request.possible.map((name) => all[name]);
}

/**
 * "1 × A lamp, 2 × A chair".
 * @param {{product_id: string, quantity: number}[]} lines
 * @param {Order} order
 */
export function unitsOf(lines, { lines: ordered = [] }) {
  const titles = new Map(ordered.map(({ product_id, title }) => [product_id, title]));
  return lines.map(({ product_id, quantity }) => `${quantity} × ${titles.get(product_id) ?? "an item"}`).join(", ");
}

/**
 * The acts that are possible now; null when there is none.
 * @param {Order} order
 * @param {(order: Order) => void} onDone Called with the order as it is afterwards.
 */
export function acts(order, onDone) {
  const possible = order.possible ?? [];
  if (!possible.length) return null;
  return h(
    "section",
    { class: "acts", "aria-label": "What you can do" },
    possible
      .flatMap((name) => (name === "decide_return" || name === "withdraw_return" ? [] : (ACTS[name] ?? [])))
      .concat((order.return_requests ?? []).flatMap((request) => answers(request, order)))
      .map((offered) => act(offered, order, onDone)),
  );
}

/**
 * @param {Act} offered
 * @param {Order} order
 * @param {(order: Order) => void} onDone
 */
function act({ title, button, path, style, fields, always = {} }, order, onDone) {
  const entered = fields(order);
  const problem = h("div", { role: "alert" });
  const send = h("button", { class: `${style} small`, type: "submit" }, button);
  const form = h(
    "form",
    { novalidate: true },
    Object.values(entered).map(({ element }) => element),
    problem,
    h("p", {}, send),
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (send.disabled) return;
    send.disabled = true;
    for (const input of form.querySelectorAll("[aria-invalid]")) input.removeAttribute("aria-invalid");
    try {
      const read = Object.entries(entered).map(([field, { read }]) => [field, read()]);
      const body = { ...always, ...Object.fromEntries(read) };
      onDone(await create(`${path}.${order.number}`, { path: `/api/v1/orders/${order.number}/${path}`, body }));
    } catch (error) {
      if (error instanceof InvalidEntry) problem.replaceChildren(note("bad", error.message));
      else showProblem(problem, error, { currency: order.currency });
    } finally {
      send.disabled = false;
    }
  });
  return h("details", { class: "act", name: "act" }, h("summary", {}, title), form);
}

let count = 0;

/**
 * @param {string} label
 * @param {HTMLInputElement} input
 * @param {() => unknown} read
 * @returns {Field}
 */
function field(label, input, read) {
  count += 1;
  input.id = `act-${count}`;
  return { element: h("div", { class: "field" }, h("label", { for: input.id }, label), input), read };
}

/** @param {string} label @param {boolean} [isRequired] */
function text(label, isRequired = true) {
  const input = h("input", { maxlength: MAX_REASON, autocomplete: "off", required: isRequired });
  return field(label, input, () => {
    const entered = input.value.trim();
    if (!entered && isRequired) refuse(input, `${label} is required.`);
    return entered;
  });
}

/** @param {string} label @param {string} currency */
function amount(label, currency) {
  const input = h("input", { inputmode: "decimal", autocomplete: "off" });
  return field(label, input, () => {
    const entered = input.value.trim();
    if (!entered) return null;
    return readAmount(entered, currency) ?? refuse(input, amountHint());
  });
}

/** How many units of each line came back, and whether they are damaged. @param {OrderLine[]} lines @returns {Field} */
function units(lines) {
  const entries = lines.map(({ product_id, title, quantity }) => {
    const back = h("input", { type: "number", min: 0, max: quantity, value: 0, inputmode: "numeric" });
    const damaged = h("input", { type: "checkbox" });
    const { element } = field(`${title}: of ${quantity}`, back, () => 0);
    damaged.id = `${back.id}-damaged`;
    element.append(
      h("div", { class: "check small" }, damaged, h("label", { for: damaged.id }, "Damaged, not for sale again")),
    );
    return { product_id, back, damaged, element };
  });
  return {
    element: h(
      "fieldset",
      { class: "field" },
      h("legend", {}, "Units that came back"),
      entries.map(({ element }) => element),
    ),
    read: () => {
      const taken = entries.filter(({ back }) => Number(back.value) > 0);
      const first = entries[0];
      if (!taken.length && first) refuse(first.back, "Say how many units came back.");
      return taken.map(({ product_id, back, damaged }) => ({
        product_id,
        quantity: Number(back.value),
        damaged: damaged.checked,
      }));
    },
  };
}

/** How many units of each line are to go back. @param {Order} order @returns {Field} */
function wanted({ returnable = [], lines = [] }) {
  const titles = new Map(lines.map(({ product_id, title }) => [product_id, title]));
  const entries = returnable.map(({ product_id, quantity }) => {
    const input = h("input", { type: "number", min: 0, max: quantity, value: 0, inputmode: "numeric" });
    const { element } = field(`${titles.get(product_id) ?? "An item"}: of ${quantity}`, input, () => 0);
    return { product_id, quantity, input, element };
  });
  return {
    element: h(
      "fieldset",
      { class: "field" },
      h("legend", {}, "Units to return"),
      entries.map(({ element }) => element),
    ),
    read: () => {
      for (const { input, quantity } of entries) {
        const units = Number(input.value);
        if (!Number.isInteger(units) || units < 0 || units > quantity) refuse(input, `Enter 0 to ${quantity} units.`);
      }
      const chosen = entries.filter(({ input }) => Number(input.value) > 0);
      const first = entries[0];
      if (!chosen.length && first) refuse(first.input, "Say how many units you want to return.");
      return chosen.map(({ product_id, input }) => ({ product_id, quantity: Number(input.value) }));
    },
  };
}

/** @param {HTMLInputElement} input @param {string} why @returns {never} */
function refuse(input, why) {
  input.setAttribute("aria-invalid", "true");
  input.focus();
  throw new InvalidEntry(why);
}
