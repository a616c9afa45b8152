// The pauses between attempts at what fails: they grow, and differ from page to page, so that a server that comes back does not
// meet all its pages at once. Pure.

const STEPS_MS = [400, 1_000, 2_000, 4_000, 8_000, 15_000];

/** The pause after failure number `attempt`, counted from 0. @param {number} attempt */
export function pauseMs(attempt) {
  const step = STEPS_MS[Math.min(attempt, STEPS_MS.length - 1)] ?? 0;
  return Math.round(step * (0.75 + Math.random() / 2));
}
