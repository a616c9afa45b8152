// What every page has: the theme button, the unread count, news as they come, the state of the connection, server time.

import { forgetToken, get, me } from "./api.js";
import * as clock from "./clock.js";
import { byId, h, setText } from "./dom.js";
import { time } from "./format.js";
import { stream } from "./stream.js";

const TOAST_MS = 9_000;
const MAX_TOASTS = 4;
const COUNT_MS = 1_000;
const SILENT_MS = 1_500; // a connection that is back within this is not worth a word

// --- theme ---

byId("theme").addEventListener("click", () => {
  const root = document.documentElement;
  const isDark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = isDark ? "light" : "dark";
  try {
    localStorage.setItem("gavel.theme", root.dataset.theme);
  } catch {
    // it holds for this page
  }
});

// --- server time ---

clock.onTick((now) => setText(byId("server-time"), time(now)));

// --- connection ---

const banner = byId("connection");
let wasLost = false;
let telling = 0;

stream.addEventListener("state", ({ detail }) => {
  clearTimeout(telling);
  if (detail.state === "live") {
    if (wasLost) tellConnection("Back online and up to date.", true);
    wasLost = false;
  } else if (detail.state === "waiting") {
    const tell = () => {
      wasLost = true;
      tellConnection("Connection lost. Reconnecting…; prices may be out of date.", false);
    };
    if (wasLost || detail.attempt > 2) tell();
    else telling = setTimeout(tell, SILENT_MS);
  } else if (!wasLost) {
    telling = setTimeout(() => {
      wasLost = true;
      tellConnection("Connection lost. Reconnecting…; prices may be out of date.", false);
    }, SILENT_MS * 2);
  }
});

function tellConnection(text, isBack) {
  banner.hidden = false;
  banner.classList.toggle("back", isBack);
  setText(banner, text);
  if (isBack) {
    telling = setTimeout(() => {
      banner.hidden = true;
      banner.textContent = "";
    }, 4_000);
  }
}

// --- notifications ---

const badge = byId("unread");
const bell = byId("bell");
let unread = 0;
let counting = 0;

export function showUnread(count) {
  unread = count;
  if (!badge) return;
  badge.hidden = count === 0;
  setText(badge, count > 99 ? "99+" : String(count));
  bell.setAttribute("aria-label", count ? `Notifications, ${count} unread` : "Notifications");
}

function toast(message) {
  const toasts = byId("toasts");
  const text = message.link ? h("a", { href: message.link }, message.text) : message.text;
  const close = h("button", { class: "icon-button", type: "button", "aria-label": "Dismiss", onclick: () => item.remove() }, "×");
  const item = h("div", { class: `toast ${message.mood}` }, h("p", {}, text), close);
  toasts.append(item);
  while (toasts.children.length > MAX_TOASTS) toasts.firstChild.remove();
  setTimeout(() => {
    if (!item.matches(":hover, :focus-within")) item.remove();
  }, TOAST_MS);
}

/** On the page of the notifications, and on the lot's own page, the page itself says so. */
function isShownAnyway({ kind, data }) {
  const lot = byId("lot")?.dataset.auction;
  return Boolean(byId("notices")) || (["outbid", "leading"].includes(kind) && data.auction_id === lot);
}

/** Ask for the count, once for all notifications that come together. */
function countAgain() {
  clearTimeout(counting);
  counting = setTimeout(() => loadUnread().catch(() => {}), COUNT_MS);
}

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

async function follow() {
  try {
    stream.resume(await loadUnread());
  } catch {
    setTimeout(follow, 3_000);
  }
}

if (me.id) follow();

for (const form of document.querySelectorAll('form[action*="/accounts/"]')) form.addEventListener("submit", forgetToken);
