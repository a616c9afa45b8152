// The server's time: of a few answers the fastest counts. It is measured again each minute, and when the page is shown again.

import { get } from "./api.js";

/** @typedef {(now: number) => void} Listener */

const SAMPLES = 3;
const AGAIN_MS = 60_000;
const TICK_MS = 250;

let offset = 0;
let isMeasured = false;
/** @type {Set<Listener>} */
const listeners = new Set();

export const now = () => Date.now() + offset;

async function sample() {
  const began = performance.now();
  const answer = await get("/api/v1/time", { auth: false, timeoutMs: 5_000 });
  const trip = performance.now() - began;
  return { trip, offset: answer.now + trip / 2 - Date.now() };
}

async function synchronise() {
  const samples = [];
  try {
    for (let i = 0; i < (isMeasured ? 1 : SAMPLES); i += 1) samples.push(await sample());
  } catch {
    // the last offset holds
  }
  if (samples.length) {
    offset = samples.reduce((best, one) => (one.trip < best.trip ? one : best)).offset;
    isMeasured = true;
  }
}

/** Call `listener` now and a few times a second. @param {Listener} listener */
export function onTick(listener) {
  listeners.add(listener);
  listener(now());
}

export const ready = synchronise();
setInterval(() => {
  for (const listener of listeners) listener(now());
}, TICK_MS);
setInterval(synchronise, AGAIN_MS);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) synchronise();
});
