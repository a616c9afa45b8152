// Placing a bid so that it counts once: one Idempotency-Key per bid, the same key for every retry of it, and when no
// answer comes, asking what became of the key. The key outlives the page in the tab's storage until that is known.

import { get, newKey, Offline, post, Problem } from "./api.js";

const WAITS_MS = [500, 1_000, 2_000, 3_000, 4_000, 5_000];

/** Nobody knows yet whether the bid counts; sending the same bid again is safe. */
export class Unanswered extends Error {
  constructor() {
    super("No answer yet. Sending the same bid again is safe: it counts once.");
  }
}

const slot = (auctionId) => `gavel.bid.${auctionId}`;

function recall(auctionId) {
  try {
    return JSON.parse(sessionStorage.getItem(slot(auctionId)));
  } catch {
    return null;
  }
}

function remember(auctionId, bid) {
  try {
    if (bid) sessionStorage.setItem(slot(auctionId), JSON.stringify(bid));
    else sessionStorage.removeItem(slot(auctionId));
  } catch {
    // then a reload forgets the key; a retry on this page still has it
  }
}

const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const isAway = (error) => error instanceof Offline || (error instanceof Problem && error.status === 503);

/** Place the bid; `onRetry(attempt)` before each retry. Throws Problem (refused) or Unanswered. */
export async function place(auctionId, body, { onRetry }) {
  const kept = recall(auctionId);
  const key = kept && JSON.stringify(kept.body) === JSON.stringify(body) ? kept.key : newKey();
  remember(auctionId, { key, body });
  for (let attempt = 0; ; attempt += 1) {
    try {
      const answer = await post(`/api/v1/auctions/${auctionId}/bids`, body, { key, timeoutMs: 8_000 });
      remember(auctionId, null);
      return answer;
    } catch (error) {
      if (!isAway(error)) {
        remember(auctionId, null);
        throw error;
      }
      if (attempt === WAITS_MS.length) return settle(auctionId, key);
      onRetry(attempt + 1);
      await wait(Math.max(WAITS_MS[attempt], error.retryAfterMs ?? 0));
    }
  }
}

async function settle(auctionId, key) {
  try {
    const answer = await get(`/api/v1/auctions/${auctionId}/bids/by-key/${key}`);
    remember(auctionId, null);
    return answer;
  } catch {
    throw new Unanswered();
  }
}

/** What became of a bid that this tab sent before the page was loaded: {body, answer} with answer null when it never
 * arrived; null when there was none, or nobody can tell now. */
export async function recover(auctionId) {
  const kept = recall(auctionId);
  if (!kept) return null;
  try {
    const answer = await get(`/api/v1/auctions/${auctionId}/bids/by-key/${kept.key}`);
    remember(auctionId, null);
    return { body: kept.body, answer };
  } catch (error) {
    if (!(error instanceof Problem) || error.status !== 404) return null;
    remember(auctionId, null);
    return { body: kept.body, answer: null };
  }
}
