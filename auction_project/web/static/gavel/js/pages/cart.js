// The cart: the lots that the reader has won and is to pay, quantities, what has changed since each line was put in, the totals, and
// the way to the checkout of what is ticked. Another tab that changes the cart changes it here.

import { get, me, request, withQuery } from "../api.js";
import * as clock from "../clock.js";
import { longDate, shortDate } from "../dates.js";
import { byId, h, note, setText } from "../dom.js";
import { money, plural, span } from "../format.js";
import { empty, showProblem } from "../lists.js";
import { newest } from "../newest.js";
import { AWARDED_MS, CART, checkoutPath, choose, isAboutAwards, subtotalOf } from "../shop/awards.js";
import { cart } from "../shop/cart.js";
import { quantityField } from "../shop/quantity.js";
import { totals } from "../shop/totals.js";
import { countUnits } from "../shop/visitor_cart.js";
import { changeOf, obstacleText } from "../shop/wording.js";
import { stream } from "../stream.js";

/** @import {Award, Cart, CartLine, Checkout} from "../bodies.d.ts" */
/** @import {Choice} from "../shop/awards.js" */

const LEFT = "gavel.cart.left"; // what the reader of this tab leaves out of the next order
const SOON_MS = 3_600_000;

const frame = byId("cart");
const link = byId("checkout", HTMLAnchorElement);
const begin = newest();
/** @type {Cart | null} */
let shown = null;
/** Ids of awards, or CART. */
const left = recallLeft();
/** What shows the time that is left, by award. @type {Map<Award, HTMLElement>} */
let clocks = new Map();

async function load() {
  const isNewest = begin();
  try {
    await cart.takeOver();
    const loaded = await cart.load();
    if (!isNewest()) return;
    showProblem(byId("problem"), null);
    show(loaded);
  } catch (error) {
    if (isNewest()) showProblem(byId("problem"), error, { retry: load });
  }
  byId("loading").hidden = true;
}

/**
 * Change the cart, and show it as it is then.
 * @param {() => Promise<void>} act
 * @param {string} done What a screen reader says.
 */
async function change(act, done) {
  const focused = document.activeElement?.id ?? "";
  try {
    await act();
    const loaded = await cart.load();
    showProblem(byId("problem"), null);
    show(loaded);
    setText(
      byId("announcer"),
      `${done} ${loaded.subtotal ? `Subtotal ${money(loaded.subtotal, loaded.currency ?? "EUR")}.` : ""}`,
    );
  } catch (error) {
    showProblem(byId("problem"), error);
    if (shown) show(shown, { isAnew: true });
    load().then(() => showProblem(byId("problem"), error));
  }
  focusAgain(focused);
}

/** The lines are drawn anew: what had the focus gets it back, or else the page. @param {string} id */
function focusAgain(id) {
  if (id && document.activeElement?.id !== id) (document.getElementById(id) ?? byId("content")).focus();
}

/**
 * @param {Cart} loaded
 * @param {{isAnew?: boolean}} [options]
 */
function show(loaded, { isAnew = false } = {}) {
  if (!isAnew && JSON.stringify(loaded) === JSON.stringify(shown)) return;
  shown = loaded;
  const { lines, awards } = loaded;
  const count = countUnits(lines) + countUnits(awards);
  const choice = choose(loaded, left);
  frame.hidden = count === 0;
  frame.removeAttribute("aria-busy");
  byId("empty").replaceChildren(...(count ? [] : [nothing()]));
  showAwards(awards, choice);
  showArticles(lines, awards);
  byId("totals").replaceChildren(...totals(sumsOf(loaded, choice)));
  showChanges(lines);
  showCheckout(choice);
  document.title = count ? `Cart (${count}) · Gavel` : "Cart · Gavel";
}

/** Shipping is known for the whole cart; lots change it. @param {Cart} loaded @param {Choice} choice */
const sumsOf = (loaded, choice) =>
  choice.awards.length || choice.lines.length < loaded.lines.length
    ? { subtotal: subtotalOf(choice), shipping: null, total: null, currency: choice.currency }
    : loaded;

const nothing = () =>
  empty(
    "Your cart is empty",
    h("p", {}, "What you put into it waits for you here. Nothing is reserved until you check out."),
    h("p", {}, h("a", { class: "button", href: "/shop" }, "Look around the shop")),
  );

// --- won lots ---

/** @param {Award[]} awards @param {Choice} choice */
function showAwards(awards, choice) {
  clocks = new Map();
  byId("won").hidden = awards.length === 0;
  byId("awards").replaceChildren(...awards.map((award) => awardItem(award, choice)));
  tick(clock.now());
}

/** @param {Award} award @param {Choice} choice */
function awardItem(award, { apart, currency }) {
  const { id, title, quantity, price, pay_by } = award;
  const obstacle = apart.get(id);
  const why = obstacleText(award, obstacle, currency);
  const box = h("input", { type: "checkbox", id: `award-${id}`, checked: !obstacle, disabled: Boolean(why) });
  box.addEventListener("change", () => leave(id, !box.checked));
  const time = h("span", { class: "figure" });
  clocks.set(award, time);
  return h(
    "li",
    {},
    h("label", { class: "tick" }, box, h("span", { class: "visually-hidden" }, `Pay for ${title}`)),
    h(
      "div",
      { class: "cart-text" },
      h("h3", {}, h("a", { href: `/auctions/${award.auction_id}` }, title)),
      quantity > 1 && h("p", { class: "muted small" }, plural(quantity, "unit")),
      h("p", { class: "small", title: longDate(pay_by) }, `Pay by ${shortDate(pay_by)}: `, time, " left"),
      why &&
        h(
          "div",
          { class: "note warn" },
          h("p", {}, why),
          h(
            "p",
            {},
            h(
              "a",
              { href: checkoutPath({ lines: [], awards: [award] }), "aria-label": `Pay ${title} by itself` },
              "Pay it by itself",
            ),
          ),
        ),
    ),
    h("p", { class: "line-total figure" }, money(price, award.currency)),
  );
}

/** What is in the cart; beside won lots it can be left out. @param {CartLine[]} lines @param {Award[]} awards */
function showArticles(lines, awards) {
  byId("articles").hidden = lines.length === 0;
  byId("with-cart").hidden = awards.length === 0;
  byId("lines-title").classList.toggle("visually-hidden", awards.length === 0);
  byId("with-cart-box", HTMLInputElement).checked = !left.has(CART);
  byId("lines").replaceChildren(...lines.map(lineItem));
}

/** @param {string} id @param {boolean} isLeft */
function leave(id, isLeft) {
  if (isLeft) left.add(id);
  else left.delete(id);
  keepLeft();
  if (!shown) return;
  const focused = document.activeElement?.id ?? "";
  show(shown, { isAnew: true });
  focusAgain(focused);
  const { subtotal, currency } = sumsOf(shown, choose(shown, left));
  setText(byId("announcer"), subtotal && currency ? `Subtotal ${money(subtotal, currency)}.` : "Nothing is chosen.");
}

/** @returns {Set<string>} */
function recallLeft() {
  try {
    return new Set(JSON.parse(sessionStorage.getItem(LEFT) ?? "[]"));
  } catch {
    return new Set();
  }
}

function keepLeft() {
  try {
    sessionStorage.setItem(LEFT, JSON.stringify([...left]));
  } catch {
    // without storage a reload forgets the choice
  }
}

/** @param {number} now */
function tick(now) {
  for (const [award, element] of clocks) {
    const ms = award.pay_by - now;
    setText(element, span(ms));
    element.classList.toggle("soon", ms < SOON_MS);
    if (ms > 0) continue;
    clocks.delete(award);
    load();
  }
}

// --- the lines of the cart ---

/** @param {CartLine} line */
function lineItem(line) {
  const changed = changeOf(line);
  const id = line.product_id;
  const isForSale = line.problem !== "not_for_sale";
  const path = `/shop/p/${encodeURIComponent(line.slug)}`;
  const remove = h(
    "button",
    { class: "link", type: "button", id: `remove-${id}`, "aria-label": `Remove ${line.title}` },
    "Remove",
  );
  remove.addEventListener("click", () => change(() => cart.remove(line), `${line.title} removed.`));
  return h(
    "li",
    { class: isForSale ? "" : "gone" },
    h(
      "div",
      { class: "thumb-frame" },
      line.thumbnail
        ? h("img", { class: "thumb", src: line.thumbnail, alt: "", width: 88, height: 88, loading: "lazy" })
        : null,
    ),
    h(
      "div",
      { class: "cart-text" },
      h("h3", {}, isForSale ? h("a", { href: path }, line.title) : line.title),
      isForSale && h("p", { class: "muted small figure" }, `${money(line.price, line.currency)} each`),
      changed &&
        h(
          "div",
          { class: "note warn" },
          h("p", {}, changed.text),
          changed.accept ? acceptButton(line, changed.accept) : null,
        ),
      h("p", { class: "small" }, remove),
    ),
    line.problem === null || line.problem === "too_many"
      ? quantity(line).element
      : h("span", { class: "figure" }, isForSale ? `× ${line.quantity}` : ""),
    h("p", { class: "line-total figure" }, isForSale ? money(line.total, line.currency) : ""),
  );
}

/** @param {CartLine} line */
const quantity = (line) =>
  quantityField({
    id: `quantity-${line.product_id}`,
    label: `Quantity of ${line.title}`,
    value: line.quantity,
    max: Math.max(line.max_per_order, 1),
    onChange: (units) => change(() => cart.set(line, units), `${plural(units, "unit")} of ${line.title}.`),
  });

/** @param {CartLine} line */
const accepted = (line) => cart.set(line, Math.min(line.quantity, line.max_per_order));

/** @param {CartLine} line @param {string} words */
function acceptButton(line, words) {
  return h(
    "button",
    {
      class: "button quiet small",
      type: "button",
      id: `accept-${line.product_id}`,
      "aria-label": `${words} for ${line.title}`,
      onclick: () => change(() => accepted(line), "Accepted."),
    },
    words,
  );
}

/** @param {CartLine[]} lines */
function showChanges(lines) {
  const changed = lines.filter(({ problem }) => problem);
  const acceptable = changed.filter((line) => changeOf(line)?.accept);
  const all = h(
    "button",
    { class: "button quiet small", type: "button", id: "accept-all" },
    `Accept all ${acceptable.length}`,
  );
  all.addEventListener("click", () =>
    change(async () => {
      for (const line of acceptable) await accepted(line);
    }, "All changes accepted."),
  );
  byId("changed").replaceChildren(
    ...(changed.length
      ? [
          note(
            "warn",
            changed.length === 1 ? "One thing has changed" : `${changed.length} things have changed`,
            "Look at each below. You can check out when you have accepted or removed them.",
            acceptable.length > 1 ? h("p", {}, all) : null,
          ),
        ]
      : []),
  );
}

/** @param {Choice} choice */
function showCheckout(choice) {
  const { lines, awards, currency } = choice;
  const hasChanged = lines.some(({ problem }) => problem);
  const isOpen = currency !== null && !hasChanged;
  const path = checkoutPath(choice);
  if (isOpen) link.setAttribute("href", me.id ? path : `/accounts/login/?next=${encodeURIComponent(path)}`);
  else link.removeAttribute("href");
  link.setAttribute("aria-disabled", String(!isOpen));
  setText(link, !me.id ? "Sign in and check out" : linkText(lines.length, awards.length));
  setText(byId("hint"), hintOf(choice, hasChanged));
}

/** @param {number} lines @param {number} lots */
const linkText = (lines, lots) => (!lots ? "Check out" : lots === 1 && !lines ? "Pay for this lot" : "Pay together");

/** @param {Choice} choice @param {boolean} hasChanged */
function hintOf({ awards, currency }, hasChanged) {
  if (!me.id) return "Your cart comes along when you sign in. Shipping is added then.";
  if (!currency) return "Tick what you want to pay.";
  if (!awards.length) return "Nothing is reserved until you check out.";
  return hasChanged
    ? "Something in your cart has changed. Accept it, or leave the cart out and pay the lots alone."
    : "Shipping is added at the checkout.";
}

/** Say that a checkout is under way, which keeps units. Without an answer the page goes without. */
async function showRunning() {
  if (!me.id) return;
  /** @type {{items: Checkout[]}} */
  const { items } = await get(withQuery("/api/v1/checkouts", { state: "open" }));
  const running = items[0];
  if (!running || !["RESERVING", "RESERVED", "PAYING"].includes(running.status)) {
    byId("running").replaceChildren();
    return;
  }
  const isPaying = running.status === "PAYING";
  const giveUp = h("button", { class: "link", type: "button" }, "Give it up");
  giveUp.addEventListener("click", async () => {
    try {
      await request("DELETE", `/api/v1/checkouts/${running.id}`);
    } catch (error) {
      showProblem(byId("problem"), error);
    }
    showRunning().catch(() => {});
  });
  byId("running").replaceChildren(
    note(
      isPaying ? "" : "good",
      isPaying ? "An order is being paid" : "A checkout is under way",
      isPaying
        ? "It will be in your orders in a moment."
        : `We keep ${plural(countUnits(running.lines), "unit")} for you until ${shortDate(running.pay_by)}.`,
      h(
        "p",
        { class: "row" },
        h("a", { href: `/checkout/${running.id}` }, isPaying ? "See it" : "Go on with it"),
        isPaying ? null : giveUp,
      ),
    ),
  );
}

byId("with-cart-box").addEventListener("change", () => leave(CART, !byId("with-cart-box", HTMLInputElement).checked));
clock.onTick(tick);
stream.addEventListener("notification", ({ detail }) => {
  if (isAboutAwards(detail)) for (const ms of AWARDED_MS) setTimeout(load, ms);
});
cart.on("elsewhere", () => load());
addEventListener("pageshow", ({ persisted }) => {
  if (!persisted) return;
  load();
  showRunning().catch(() => {});
});
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  load();
  showRunning().catch(() => {});
});
load();
showRunning().catch(() => {});
