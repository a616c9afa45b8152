// The page "Services" of the admin: fetches its table again every two seconds, unless it is paused or out of sight. What changed
// is said to a screen reader only when the summary changes, not at each refresh.

import { byId, setText } from "../dom.js";

const EVERY_MS = 2_000;
const ANSWER_MS = 5_000;

const place = byId("services");
const status = byId("services-status");
const pause = byId("services-pause", HTMLButtonElement);
let isPaused = false;

/** The table as the server has it now, or why there is none. */
async function refresh() {
  try {
    const answer = await fetch(place.dataset.from ?? "", {
      redirect: "manual", // to the sign-in
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    if (answer.type === "opaqueredirect" || answer.status === 403) say("You are signed out: reload this page.");
    else if (!answer.ok) say("The site does not answer. The list is old.");
    else {
      const table = await answer.text();
      if (!isPaused) {
        const scrolled = place.querySelector("[role=region]")?.scrollLeft ?? 0;
        const isFocused = place.contains(document.activeElement);
        place.innerHTML = table; // from our own template, which escapes what processes say
        const region = place.querySelector("[role=region]");
        if (region instanceof HTMLElement) {
          region.scrollLeft = scrolled;
          if (isFocused) region.focus({ preventScroll: true });
        }
        say(place.querySelector("[data-summary]")?.getAttribute("data-summary") ?? "");
      }
    }
  } catch {
    say("The site does not answer. The list is old.");
  }
}

/** @param {string} text */
function say(text) {
  if (!isPaused && status.textContent !== text) setText(status, text);
}

pause.addEventListener("click", () => {
  if (!isPaused) say("Paused.");
  isPaused = !isPaused;
  setText(pause, isPaused ? "Go on" : "Pause");
  if (!isPaused) refresh();
});

async function run() {
  if (!isPaused && !document.hidden) await refresh();
  setTimeout(run, EVERY_MS);
}

pause.hidden = false;
setTimeout(run, EVERY_MS);
