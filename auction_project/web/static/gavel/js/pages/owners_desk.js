// The page "Desk" of the admin. While its period includes today, the stream says when the figures have changed, and the page fetches
// them; an answer without a change has no body. Without the stream it fetches every ten seconds, and says so. Out of sight it fetches
// nothing. Without this script the page shows the figures of the moment in which it was opened.

import { byId, setText } from "../dom.js";
import { stream } from "../stream.js";

const ANSWER_MS = 5_000;
const WITHOUT_STREAM_MS = 10_000;
const LOOK_MS = 60_000; // with it: the hour changes what is compared
const RENEW_MS = 60_000; // a pass ends after five minutes

const place = byId("desk-figures");
const status = byId("desk-status");
const path = place.dataset.from ?? "";
let pass = place.dataset.pass ?? "";
let etag = "";
let isLive = false;
let isFetching = false;
let isDue = false;
let timer = 0;
let watchedAt = 0;

/** Fetch the figures, and once more if they have changed meanwhile; then look again after a while. Each minute, renew the pass. */
async function refresh() {
  isDue = true;
  if (isFetching || document.hidden) return;
  isFetching = true;
  while (isDue) {
    isDue = false;
    say(await fetched());
  }
  isFetching = false;
  if (!isLive || Date.now() - watchedAt > RENEW_MS) watch();
  clearTimeout(timer);
  timer = setTimeout(refresh, isLive ? LOOK_MS : WITHOUT_STREAM_MS);
}

function watch() {
  watchedAt = Date.now();
  stream.watchDesk(pass);
}

/** Show the figures as the server has them now. Returns how live they are, or why there are none. */
async function fetched() {
  try {
    const answer = await fetch(path, {
      headers: etag ? { "If-None-Match": etag } : {},
      redirect: "manual", // to the sign-in
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    if (answer.type === "opaqueredirect" || answer.status === 403) return "You are signed out: reload this page.";
    if (answer.status !== 304) {
      if (!answer.ok) return "The site does not answer. The figures are old.";
      show(await answer.text());
      etag = answer.headers.get("ETag") ?? "";
    }
    pass = answer.headers.get("Gavel-Desk-Pass") ?? pass;
    return isLive ? "Live." : "Not live: looked up every 10 seconds.";
  } catch {
    return "The site does not answer. The figures are old.";
  }
}

/** Put the new figures in place; what was open, scrolled or focused stays so. @param {string} html from our own template */
function show(html) {
  const open = new Set([...place.querySelectorAll("details[open] summary")].map((each) => each.textContent));
  const scrolled = new Map(
    [...place.querySelectorAll("[role=region]")].map((each) => [each.getAttribute("aria-label"), each.scrollLeft]),
  );
  const focused = document.activeElement;
  const name = place.contains(focused) ? (focused?.getAttribute("aria-label") ?? focused?.textContent) : "";
  place.innerHTML = html;
  for (const summary of place.querySelectorAll("summary")) {
    if (open.has(summary.textContent)) summary.closest("details")?.setAttribute("open", "");
    if (name && summary.textContent === name) summary.focus({ preventScroll: true });
  }
  for (const region of place.querySelectorAll("[role=region]")) {
    region.scrollLeft = scrolled.get(region.getAttribute("aria-label")) ?? 0;
    if (name && region.getAttribute("aria-label") === name && region instanceof HTMLElement)
      region.focus({ preventScroll: true });
  }
}

/** @param {string} text */
function say(text) {
  if (status.textContent !== text) setText(status, text);
}

/** @param {boolean} isNow */
function becomeLive(isNow) {
  isLive = isNow;
  refresh();
}

if (path) {
  stream.addEventListener("desk", ({ detail }) => becomeLive(detail));
  stream.addEventListener("state", ({ detail }) => {
    if (isLive && detail.state !== "live") becomeLive(false);
  });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && isDue) refresh();
  });
  timer = setTimeout(refresh, WITHOUT_STREAM_MS);
  watch();
}
