// The server's time: asked for a few times, the fastest answer counts; asked again each minute and on waking up.

import { get } from "./api.js";

const SAMPLES = 3;
const AGAIN_MS = 60_000;
const TICK_MS = 250;

let offset = 0;
let known = false;
const listeners = new Set();

export const now = () => Date.now() + offset;

async function sample() {
  const sent = performance.now();
  const answer = await get("/api/v1/time", { auth: false, timeoutMs: 5_000 });
  const trip = performance.now() - sent;
  return { trip, offset: answer.now + trip / 2 - Date.now() };
}

export async function synchronise() {
  const samples = [];
  try {
    for (let i = 0; i < (known ? 1 : SAMPLES); i += 1) samples.push(await sample());
  } catch {
    // the last known offset holds
  }
  if (samples.length) {
    offset = samples.reduce((best, one) => (one.trip < best.trip ? one : best)).offset;
    known = true;
  }
}

/** Call `listener(now)` a few times a second. */
export function onTick(listener) {
  listeners.add(listener);
  listener(now());
}

export const ready = synchronise();
setInterval(() => listeners.forEach((listener) => listener(now())), TICK_MS);
setInterval(synchronise, AGAIN_MS);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) synchronise();
});
