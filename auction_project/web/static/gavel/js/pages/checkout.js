// A checkout, from the address to the receipt: of the cart, of won lots that the address names, or of both. Choosing where to ship to starts it: the house keeps the units for minutes, and the
// clock shows how long. Its state is the server's: the page asks again while something is under way, when another tab has changed
// it, and when it is shown again.

import { get, request } from "../api.js";
import { loadCard, saveCard, TEST_NUMBERS } from "../card.js";
import * as clock from "../clock.js";
import { create } from "../creating.js";
import { shortDate } from "../dates.js";
import { byId, control, h, note, setText } from "../dom.js";
import { isNotFound, Problem } from "../errors.js";
import { duration, money, span } from "../format.js";
import { empty, showFieldError, showMissing, showProblem } from "../lists.js";
import { newest } from "../newest.js";
import { inSentence } from "../reasons.js";
import { addressForm, loadAddresses, postal } from "../shop/addresses.js";
import { readWish, wantedOf, wishOf, wishPath } from "../shop/awards.js";
import { cart } from "../shop/cart.js";
import { hasLeft, isOf, isRunning, isSettling, leftOf } from "../shop/checkout_rules.js";
import { totals } from "../shop/totals.js";
import { shortageText } from "../shop/wording.js";
import { stream } from "../stream.js";

/** @import {Address, Award, Card, Cart, CartLine, Checkout, CheckoutLine, CheckoutStatus} from "../bodies.d.ts" */

const SETTLING_MS = 400; // while inventory or the bank has not answered
const RESERVED_MS = 10_000; // another device may have changed it
const AGAIN_MS = 1_000; // when the time is over, and the server has not said so
const SOON_MS = 60_000;
const TOLD_MS = [300_000, 120_000, 60_000, 30_000]; // a screen reader says what is left

const frame = byId("checkout");
const begin = newest();
const channel = new BroadcastChannel("gavel.checkout");
let timer = 0;
let isBusy = false;
/** The reader is choosing another address for a checkout that has one. */
let isChoosing = false;
/** @type {Checkout | null} */
let checkout = null;
/** What is to be checked out, as the page shows it; null once there is a checkout. @type {Cart | null} */
let wanted = null;
/** How many lots that the address names cannot be paid any more. */
let gone = 0;
/** @type {Address[]} */
let addresses = [];
/** Undefined until it is loaded. @type {Card | null | undefined} */
let card;
let chosen = "";
let toldMs = Number.POSITIVE_INFINITY;
let askedAt = 0;
/** The reader has just acted, so that the next thing to do gets the focus. */
let leads = false;

// --- loading ---

async function load() {
  clearTimeout(timer);
  const isNewest = begin();
  try {
    const id = checkout?.id || frame.dataset.checkout;
    const loaded = await (id ? get(`/api/v1/checkouts/${id}`) : loadFirst());
    if (!isNewest()) return;
    showProblem(byId("problem"), null);
    if (loaded) take(loaded);
    else showStart();
  } catch (error) {
    if (!isNewest()) return;
    if (isNotFound(error)) showEnd("No such checkout", "It is not one of yours.", startAgain());
    else if (checkout) timer = setTimeout(load, SETTLING_MS * 5);
    else showProblem(byId("problem"), error, { retry: load });
  }
  byId("loading").hidden = true;
}

/** The address book and the card, which the first answers show. */
async function loadBook() {
  [addresses, card] = await Promise.all([loadAddresses(), loadCard()]);
  chosen ||= addresses[0]?.id ?? "";
  showAddress();
  showCard();
  showActions();
}

/** The checkout that is under way, if it is of what is wanted now; else what is wanted. @returns {Promise<Checkout | null>} */
async function loadFirst() {
  await cart.takeOver();
  /** @type {[Cart, {items: Checkout[]}]} */
  const [inCart, { items }] = await Promise.all([cart.load(), get("/api/v1/checkouts")]);
  const found = wantedOf(inCart, readWish(location.search));
  const running = items.find(({ status }) => isRunning(status));
  if (running && (running.status === "PAYING" || isOf(running, found.wanted))) return running;
  ({ wanted, gone } = found);
  return null;
}

/** @param {Checkout} loaded */
function take(loaded) {
  const before = checkout?.status;
  checkout = loaded;
  wanted = null;
  if (frame.dataset.checkout !== loaded.id) {
    frame.dataset.checkout = loaded.id;
    history.replaceState(null, "", `/checkout/${loaded.id}`);
  }
  if (loaded.status !== before) {
    isChoosing = false;
    toldMs = Number.POSITIVE_INFINITY;
    if (before) channel.postMessage(loaded.id);
    show();
    if (before === "PAYING" && loaded.failure) loadBook().then(openCard);
    if (loaded.status === "PAID") cart.load().catch(() => {});
  }
  if (isSettling(loaded.status)) timer = setTimeout(load, SETTLING_MS);
  else if (loaded.status === "RESERVED") timer = setTimeout(load, RESERVED_MS);
}

// --- what is shown ---

function show() {
  if (!checkout) return;
  const { status, order_number, lines, shortages } = checkout;
  const hasLots = hasLotsOf(checkout);
  frame.hidden = !isRunning(status);
  frame.removeAttribute("aria-busy");
  byId("ended").replaceChildren();
  showSummary();
  showAddress();
  showCard();
  showState();
  showActions();
  if (status === "PAID") {
    showEnd("Paid", "Thank you. Your order is on its way to you.", orderLink(order_number));
    if (order_number) location.replace(`/orders/${order_number}#paid`);
  } else if (status === "EXPIRED")
    showEnd(
      "The time is over",
      hasLots
        ? "You did not pay in time. What is left of it is in your cart: a won lot until its own time to pay is over."
        : "You did not pay in time, so that nothing is reserved any more. Your cart is as it was.",
      startAgain(),
    );
  else if (status === "ABANDONED")
    showEnd(
      "This checkout was given up",
      hasLots
        ? "What you did not pay is still in your cart, won lots too."
        : "Nothing is reserved by it. What you did not order is still in your cart.",
      startAgain(),
    );
  else if (status === "REFUSED") {
    const titles = new Map(lines.map(({ product_id, title }) => [product_id, title]));
    const list = h(
      "ul",
      { class: "bullets" },
      shortages.map((shortage) => h("li", {}, shortageText(titles.get(shortage.product_id) ?? "An item", shortage))),
    );
    showEnd(
      "Not everything is available",
      "Another buyer was faster. We reserved and charged nothing.",
      list,
      whatIsLeft(),
    );
  }
}

/**
 * @param {string} title
 * @param {string} text
 * @param {...(Node | null)} more
 */
function showEnd(title, text, ...more) {
  frame.hidden = true;
  byId("clock").hidden = true;
  byId("ended").replaceChildren(note(title === "Paid" ? "good" : "warn", title, text, ...more));
}

/** @param {Checkout | null} about */
const hasLotsOf = (about) => Boolean(about?.lines.some(({ award_id }) => award_id));

/** @param {string | null} number */
const orderLink = (number) =>
  h("p", {}, h("a", { class: "button", href: number ? `/orders/${number}` : "/orders" }, "View your order"));

/** Where a checkout of the same begins. */
const again = () => wishPath(wishOf(checkout?.lines ?? []));

const startAgain = () =>
  h(
    "p",
    { class: "row" },
    h("a", { class: "button", href: again() }, "Start again"),
    h("a", { href: "/cart" }, "Back to the cart"),
  );

/** Offers to order what can be had of the lines. */
function whatIsLeft() {
  if (!checkout || !hasLeft(checkout))
    return h("p", {}, h("a", { class: "button", href: "/cart" }, "Back to the cart"));
  const button = h("button", { class: "button", type: "button" }, "Order what is left");
  button.addEventListener("click", () => act(orderWhatIsLeft));
  return h("p", { class: "row" }, button, h("a", { href: "/cart" }, "Back to the cart"));
}

async function orderWhatIsLeft() {
  const refused = checkout;
  if (!refused) return;
  const left = leftOf(refused.shortages);
  const inCart = await cart.load();
  for (const { product_id, quantity } of left) {
    const line = inCart.lines.find((one) => one.product_id === product_id);
    if (!line) continue;
    if (quantity) await cart.set(line, quantity);
    else await cart.remove(line);
  }
  ({ wanted, gone } = wantedOf(await cart.load(), wishOf(refused.lines)));
  const address = addresses.find(({ id }) => id === chosen) ?? addresses[0];
  checkout = null;
  if (address) await start(address.id);
  else showStart();
}

/** There is no checkout yet: the reader says where to ship to, which starts it. */
function showStart() {
  if (!wanted) return;
  frame.removeAttribute("aria-busy");
  const isEmpty = wanted.lines.length + wanted.awards.length === 0;
  frame.hidden = isEmpty;
  byId("ended").replaceChildren(...(gone ? [goneNote()] : isEmpty ? [nothing()] : []));
  if (isEmpty) return;
  if (wanted.lines.some(({ problem }) => problem)) {
    location.replace("/cart");
    return;
  }
  showSummary();
  showAddress();
  showCard();
  showState();
  showActions();
}

const nothing = () =>
  empty("Your cart is empty", h("p", {}, h("a", { class: "button", href: "/shop" }, "Look around the shop")));

/** Of the lots that the address names, some cannot be paid here. */
const goneNote = () =>
  note(
    "warn",
    gone === 1 ? "A lot is not in this order" : `${gone} lots are not in this order`,
    "It is paid already, or its time to pay is over. My orders says what is paid.",
    h("p", { class: "row" }, h("a", { href: "/cart" }, "Look at your cart"), h("a", { href: "/orders" }, "My orders")),
  );

function showSummary() {
  const source = checkout ?? wanted;
  if (!source) return;
  const currency = source.currency ?? "EUR";
  const lots = checkout ? [] : (wanted?.awards ?? []);
  byId("lines").replaceChildren(...[...source.lines, ...lots].map((line) => lineItem(line, currency)));
  byId("totals").replaceChildren(...totals(source));
  byId("shipping-hint").hidden = source.shipping !== null;
  const hasLots = lots.length > 0 || hasLotsOf(checkout);
  setText(byId("countdown-label"), hasLots ? "Pay within" : "Reserved for you for");
}

/** @param {CartLine | CheckoutLine | Award} line @param {string} currency */
function lineItem(line, currency) {
  const lot = "auction_id" in line ? line.auction_id : null;
  return h(
    "li",
    {},
    h(
      "span",
      {},
      lot ? h("a", { href: `/auctions/${lot}` }, line.title) : line.title,
      h("span", { class: "muted" }, `\u00a0× ${line.quantity}`),
    ),
    h("span", { class: "figure" }, money("total" in line ? line.total : line.price, currency)),
  );
}

// --- step 1: the address ---

const form = addressForm({
  onSaved(address) {
    chosen = address.id;
    loadBook().then(() => byId("ship")?.focus());
  },
  onClosed: () => showAddress(),
});

function showAddress() {
  const place = byId("address");
  const isFixed = checkout?.address && !isChoosing;
  byId("step-address").classList.toggle("done", Boolean(isFixed));
  place.hidden = form.isOpen();
  if (checkout?.address && isFixed) {
    const change = h("button", { class: "link", type: "button", id: "change-address" }, "Change the address");
    change.addEventListener("click", () => {
      isChoosing = true;
      showAddress();
      /** @type {HTMLElement | null} */ (document.querySelector("#address input:checked, #address button"))?.focus();
    });
    place.replaceChildren(
      postal(checkout.address),
      checkout.status === "RESERVED" ? h("p", { class: "small" }, change) : "",
    );
    return;
  }
  const add = h(
    "button",
    { class: addresses.length ? "button quiet" : "button", type: "button", id: "add-address" },
    "Add an address",
  );
  add.addEventListener("click", openAddress);
  const ship = h("button", { class: "button", type: "button", id: "ship", disabled: isBusy }, "Ship to this address");
  ship.addEventListener("click", () => act(() => start(chosen)));
  place.replaceChildren(
    addresses.length
      ? h(
          "fieldset",
          { class: "field" },
          h("legend", { class: "visually-hidden" }, "Your addresses"),
          h("div", { class: "choices" }, addresses.map(choice)),
        )
      : h("p", { class: "muted" }, "You have no address yet."),
    h("div", { class: "row" }, addresses.length ? ship : null, add),
    h(
      "p",
      { class: "hint" },
      checkout
        ? "Another address may change the cost of shipping: we reserve everything anew."
        : "We then reserve everything for you, and tell you for how long.",
    ),
  );
}

function openAddress() {
  byId("address").hidden = true;
  form.open(null);
}

/** @param {Address} address */
function choice(address) {
  const input = h("input", { type: "radio", name: "ship-to", value: address.id, checked: address.id === chosen });
  input.addEventListener("change", () => {
    chosen = address.id;
  });
  return h("label", { class: "choice" }, input, postal(address));
}

/** Start a checkout of what the page shows. @param {string} addressId */
async function start(addressId) {
  const ofCart = checkout?.lines.filter(({ award_id }) => !award_id);
  const lines = ofCart
    ? ofCart.map(({ product_id, quantity, unit_price }) => ({ product_id, quantity, price: unit_price }))
    : (wanted?.lines ?? []).map(({ product_id, quantity, price }) => ({ product_id, quantity, price }));
  const awards = checkout ? wishOf(checkout.lines).ids : (wanted?.awards ?? []).map(({ id }) => id);
  const body = { lines, awards, currency: (checkout ?? wanted)?.currency, address_id: addressId };
  const started = await create("checkout", { path: "/api/v1/checkouts", body });
  checkout = null;
  leads = true;
  take(started);
  channel.postMessage(started.id);
}

// --- step 2: the card ---

const cardForm = byId("card-form", HTMLFormElement);
const hasUsableCard = () => Boolean(card) && card?.usable !== false;

function showCard() {
  if (card === undefined) return;
  const isPaying = checkout?.status === "PAYING";
  const isUsable = hasUsableCard();
  if (isPaying) cardForm.hidden = true;
  else if (!isUsable) cardForm.hidden = false;
  byId("card-cancel").hidden = !isUsable;
  byId("step-card").classList.toggle("done", isUsable && Boolean(cardForm.hidden));
  const another = h("button", { class: "link", type: "button", id: "another-card" }, "Use another card");
  another.addEventListener("click", openCard);
  byId("card").replaceChildren(
    card
      ? h(
          "p",
          {},
          h("strong", {}, card.brand),
          ` ending in ${card.last4}`,
          isUsable ? "" : h("span", { class: "bad-word" }, " · declined"),
        )
      : h("p", { class: "muted" }, "You have no card on file yet."),
    isUsable && cardForm.hidden && !isPaying ? h("p", { class: "small" }, another) : "",
  );
}

function openCard() {
  cardForm.hidden = false;
  showCard();
  control(cardForm, "number").focus();
}

cardForm.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (showMissing(cardForm)) return;
  try {
    card = await saveCard(control(cardForm, "number").value);
    cardForm.reset();
    cardForm.hidden = true;
    showCard();
    showActions();
    (document.getElementById("pay") ?? byId("review-title")).focus();
  } catch (error) {
    if (!showFieldError(cardForm, error)) showProblem(byId("pay-error"), error);
  }
});
byId("card-cancel").addEventListener("click", () => {
  cardForm.hidden = true;
  showCard();
});

// --- step 3: review and pay ---

function showState() {
  byId("state").replaceChildren(
    ...(checkout ? stateOf(checkout) : [h("p", { class: "muted" }, "Choose where to ship to first.")]),
  );
}

/** @param {Checkout} about @returns {HTMLElement[]} */
function stateOf({ status, failure, pay_by }) {
  switch (status) {
    case "RESERVING":
      return [note("", "Reserving …", "We are taking everything off the shelf for you.")];
    case "PAYING":
      return [
        note("", "Paying …", "This takes a few seconds. You may leave: the order appears in your orders by itself."),
      ];
    default:
      return failure
        ? [
            note(
              "bad",
              "You have not paid yet",
              inSentence(failure),
              `Everything stays reserved for you until ${shortDate(pay_by)}: pay with another card, or try again.`,
            ),
          ]
        : [
            h(
              "p",
              { class: "muted" },
              "Everything is reserved for you. Please check the address, the card and the total.",
            ),
          ];
  }
}

function showActions() {
  const place = byId("actions");
  byId("clock").hidden = checkout?.status !== "RESERVED";
  if (checkout?.status !== "RESERVED") {
    place.replaceChildren();
    return;
  }
  const { total, currency } = checkout;
  const isUsable = hasUsableCard();
  const pay = h(
    "button",
    { class: "button wide", type: "button", id: "pay", disabled: !isUsable || isBusy },
    `Pay ${money(total, currency)}`,
  );
  pay.addEventListener("click", () => act(payNow));
  const giveUp = h("button", { class: "link", type: "button", id: "give-up" }, "Give up this checkout");
  giveUp.addEventListener("click", () => act(abandon));
  place.replaceChildren(
    pay,
    isUsable || card === undefined ? "" : h("p", { class: "hint" }, "Save a card first."),
    h("p", { class: "small give-up" }, giveUp),
  );
  if (!leads || isBusy) return;
  leads = false;
  if (isUsable) pay.focus();
  else control(cardForm, "number").focus();
}

async function payNow() {
  if (!checkout) return;
  take(await create(`payment.${checkout.id}`, { path: `/api/v1/checkouts/${checkout.id}/payment`, body: {} }));
}

async function abandon() {
  if (!checkout) return;
  await request("DELETE", `/api/v1/checkouts/${checkout.id}`);
  channel.postMessage(checkout.id);
  location.assign("/cart");
}

/** Do one thing at a time, and say why it failed. @param {() => Promise<void>} what */
async function act(what) {
  if (isBusy) return;
  isBusy = true;
  for (const id of ["pay", "ship"]) document.getElementById(id)?.setAttribute("disabled", "");
  try {
    showProblem(byId("pay-error"), null);
    showProblem(byId("problem"), null);
    await what();
  } catch (error) {
    refuse(error);
  } finally {
    isBusy = false;
    for (const id of ["pay", "ship"]) document.getElementById(id)?.removeAttribute("disabled");
    showActions();
  }
}

/** @param {unknown} error */
function refuse(error) {
  const code = error instanceof Problem ? error.code : "";
  const place = byId(checkout ? "pay-error" : "problem");
  showProblem(place, error, { currency: (checkout ?? wanted)?.currency ?? "EUR" });
  const link =
    code === "checkout_under_way" ? "/checkout" : code.startsWith("cart_") || CART_CODES.has(code) ? "/cart" : "";
  if (link)
    place.firstElementChild?.append(
      h("p", {}, h("a", { href: link }, link === "/cart" ? "Look at your cart" : "See the order that is being paid")),
    );
  if (code === "no_usable_card") loadBook().then(openCard);
  if (checkout) load();
}

const CART_CODES = new Set([
  ...["price_changed", "not_for_sale", "too_many", "mixed_currencies", "below_minimum"],
  ...["not_awarded", "same_product"],
]);

// --- time ---

clock.onTick((now) => {
  if (checkout?.status !== "RESERVED") return;
  const leftMs = checkout.pay_by - now;
  const shown = byId("countdown");
  setText(shown, span(leftMs));
  shown.classList.toggle("soon", leftMs < SOON_MS);
  const due = TOLD_MS.find((ms) => leftMs <= ms && ms < toldMs && leftMs > ms - 5_000);
  if (due) {
    toldMs = due;
    setText(byId("announcer"), `Reserved for ${duration(due)} more.`);
  }
  if (leftMs <= 0 && now - askedAt > AGAIN_MS) {
    askedAt = now;
    load();
  }
});

// --- news ---

stream.addEventListener("notification", ({ detail }) => {
  if (checkout && detail.data.order_number === checkout.order_number) load();
});
channel.addEventListener("message", () => load());
addEventListener("pageshow", ({ persisted }) => {
  if (persisted) load();
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) load();
});

byId("test-numbers").replaceChildren(
  ...TEST_NUMBERS.map(([digits, , meaning]) => h("option", { value: digits }, meaning)),
);
load();
loadBook().catch((error) => showProblem(byId("problem"), error, { retry: loadBook }));
