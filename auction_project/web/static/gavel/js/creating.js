// Creating something so that it is created once: one Idempotency-Key for what the reader means, and the same request again under
// the same key until a definite answer comes. Until then the tab's storage keeps the key, so that it outlives the page.

import { newKey, request } from "./api.js";
import { pauseMs } from "./backoff.js";
import { isUnavailable, Problem } from "./errors.js";

/** @typedef {{path: string, body: unknown, method?: string, timeoutMs?: number}} Creation */

const REPEATS = 5;

/** @param {string} intent */
const slot = (intent) => `gavel.create.${intent}`;

/** @param {string} intent @returns {{key: string, asked: string} | null} */
function recall(intent) {
  try {
    return JSON.parse(sessionStorage.getItem(slot(intent)) ?? "null");
  } catch {
    return null;
  }
}

/**
 * @param {string} intent
 * @param {{key: string, asked: string} | null} pending
 */
function remember(intent, pending) {
  try {
    if (pending) sessionStorage.setItem(slot(intent), JSON.stringify(pending));
    else sessionStorage.removeItem(slot(intent));
  } catch {
    // without storage a reload forgets the key; a repeat on this page still has it
  }
}

/**
 * What is asked for, as text. A file of a form is known by its name and size.
 * @param {unknown} body
 */
const described = (body) =>
  body instanceof FormData
    ? [...body].map(([name, value]) => [name, value instanceof File ? [value.name, value.size] : value])
    : body;

/** @param {number} ms */
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Send the request until it is answered, and return the body of the answer. `intent` names what the reader means by it; the same
 * request under the same intent has the same key until it is answered. Throws Problem (refused, or unavailable in the end) or
 * Offline; after an outage the next call goes on with the key.
 * @param {string} intent
 * @param {Creation} creation
 * @returns {Promise<any>}
 */
export async function create(intent, { path, body, method = "POST", timeoutMs }) {
  const asked = JSON.stringify([method, path, described(body)]);
  const pending = recall(intent);
  const key = pending?.asked === asked ? pending.key : newKey();
  remember(intent, { key, asked });
  for (let attempt = 0; ; attempt += 1) {
    try {
      const answer = await request(method, path, { body, key, timeoutMs });
      remember(intent, null);
      return answer;
    } catch (error) {
      if (!isUnavailable(error)) {
        remember(intent, null);
        throw error;
      }
      if (attempt === REPEATS) throw error;
      await wait(Math.max(pauseMs(attempt), error instanceof Problem ? error.retryAfterMs : 0));
    }
  }
}
