// What every page has: the theme button, the count of the cart, the unread count, notifications as they come, the state of the connection, the
// server's time, and the instants that the server rendered, in the reader's locale.

import { forgetToken, get, me } from "./api.js";
import { pauseMs } from "./backoff.js";
import * as clock from "./clock.js";
import { clockTime, localise } from "./dates.js";
import { byId, h, setText } from "./dom.js";
import { plural } from "./format.js";
import { AWARDED_MS, isAboutAwards } from "./shop/awards.js";
import { cart } from "./shop/cart.js";
import { stream } from "./stream.js";

/** @import {Notification} from "./bodies.d.ts" */

const TOAST_MS = 9_000;
const MAX_TOASTS = 4;
const COUNT_MS = 1_000;
const SILENT_MS = 1_500; // a connection that is back within this time goes without a word
const BACK_MS = 4_000; // how long the banner says that it is back

// --- theme ---

byId("theme").addEventListener("click", () => {
  const root = document.documentElement;
  const isDark = root.dataset.theme
    ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = isDark ? "light" : "dark";
  try {
    localStorage.setItem("gavel.theme", root.dataset.theme);
  } catch {
    // it holds for this page
  }
});

// --- instants ---

clock.onTick((now) => setText(byId("server-time"), clockTime(now)));
localise(document);

// --- connection ---

const banner = byId("connection");
let wasLost = false;
let bannerTimer = 0;

stream.addEventListener("state", ({ detail: { state, attempt } }) => {
  clearTimeout(bannerTimer);
  if (state === "live") {
    if (wasLost) showBack();
    wasLost = false;
  } else if (state === "waiting" && (wasLost || attempt > 2)) showLost();
  else if (state === "waiting") bannerTimer = setTimeout(showLost, SILENT_MS);
  else if (!wasLost) bannerTimer = setTimeout(showLost, SILENT_MS * 2);
});

function showLost() {
  wasLost = true;
  showBanner("Connection lost. Reconnecting…; prices may be out of date.", false);
}

function showBack() {
  showBanner("Back online and up to date.", true);
  bannerTimer = setTimeout(() => {
    banner.hidden = true;
    banner.textContent = "";
  }, BACK_MS);
}

/**
 * @param {string} text
 * @param {boolean} isBack
 */
function showBanner(text, isBack) {
  banner.hidden = false;
  banner.classList.toggle("back", isBack);
  setText(banner, text);
}

// --- notifications ---

// Only readers who are signed in have a bell.
const badge = document.getElementById("unread");
const bell = document.getElementById("bell");
let unread = 0;
let countTimer = 0;

/** @param {number} count */
export function showUnread(count) {
  unread = count;
  if (!badge) return;
  badge.hidden = count === 0;
  setText(badge, count > 99 ? "99+" : String(count));
  bell?.setAttribute("aria-label", count ? `Notifications, ${count} unread` : "Notifications");
}

/** @param {Notification} message */
function toast(message) {
  const toasts = byId("toasts");
  const text = message.link ? h("a", { href: message.link }, message.text) : message.text;
  const close = h(
    "button",
    { class: "icon-button", type: "button", "aria-label": "Dismiss", onclick: () => item.remove() },
    "×",
  );
  const item = h("div", { class: `toast ${message.mood}` }, h("p", {}, text), close);
  toasts.append(item);
  while (toasts.children.length > MAX_TOASTS) toasts.firstElementChild?.remove();
  setTimeout(() => {
    if (!item.matches(":hover, :focus-within")) item.remove();
  }, TOAST_MS);
}

/** The page of the notifications shows each, and the page of a lot how its bidder stands. @param {Notification} message */
function isShownAnyway({ kind, data }) {
  const lot = document.getElementById("lot")?.dataset.auction;
  return (
    Boolean(document.getElementById("notices")) ||
    (["outbid", "leading", "won", "lot_paid"].includes(kind) && data.auction_id === lot)
  );
}

/** Load the count, once for all notifications that come together. */
function countAgain() {
  clearTimeout(countTimer);
  countTimer = setTimeout(() => loadUnread().catch(() => {}), COUNT_MS);
}

/** @returns {Promise<string>} The cursor of the newest notification. */
async function loadUnread() {
  const feed = await get("/api/v1/notifications?limit=1");
  showUnread(feed.unread);
  return feed.cursor;
}

stream.addEventListener("notification", ({ detail }) => {
  showUnread(unread + 1); // at once; the exact count leaves out what this one replaces
  countAgain();
  if (!detail.withdrawn && !isShownAnyway(detail)) toast(detail);
});
stream.addEventListener("reload", () => loadUnread().catch(() => {}));

/** @param {number} [attempt] */
async function follow(attempt = 0) {
  try {
    stream.resume(await loadUnread());
  } catch {
    setTimeout(() => follow(attempt + 1), pauseMs(attempt));
  }
}

if (me.id) follow();

// --- the cart ---

/** @param {number} count */
function showCount(count) {
  const shown = byId("cart-count");
  shown.hidden = count === 0;
  setText(shown, count > 99 ? "99+" : String(count));
  byId("cart-link").setAttribute("aria-label", count ? `Cart, ${plural(count, "unit")}` : "Cart");
}

async function followCart() {
  showCount(cart.knownCount ?? 0);
  cart.on("change", ({ detail }) => showCount(detail));
  try {
    await cart.takeOver();
    if (me.id) await cart.load();
  } catch {
    // the next page tries again
  }
}

// A lot is won to be paid later, or is paid.
stream.addEventListener("notification", ({ detail }) => {
  if (isAboutAwards(detail)) for (const ms of AWARDED_MS) setTimeout(() => cart.load().catch(() => {}), ms);
});

followCart();

for (const form of document.querySelectorAll('form[action*="/accounts/"]'))
  form.addEventListener("submit", forgetToken);
