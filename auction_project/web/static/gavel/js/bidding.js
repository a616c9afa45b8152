// Placing a bid so that it counts once: one Idempotency-Key a bid, and the same bid again under the same key until an answer
// comes. Until then the tab's storage keeps the key, so that it outlives the page. Nothing here asks "did it arrive?": while
// the server still writes the bid, the answer to that question is no, and the bid is in the log a moment later.

import { newKey, post } from "./api.js";
import { isUnavailable, Problem } from "./errors.js";

/** @import {BidAnswer, BidBody} from "./bodies.d.ts" */
/** @typedef {{key: string, body: BidBody, at: number}} PendingBid `at`: when it was sent first. */
/**
 * What a bid may need of its bidder while it is sent: `onRetry` is called before each repeat, `confirm` resolves to whether
 * the bidder means an unusual bid, `hasCard` to whether there is a usable card.
 * @typedef {object} Prompts
 * @property {(attempt: number) => void} onRetry
 * @property {(problem: Problem) => Promise<boolean>} confirm
 * @property {() => Promise<boolean>} hasCard
 */

const WAITS_MS = [500, 1_000, 2_000, 3_000, 4_000, 5_000, 5_000, 5_000];
export const REPEATS = WAITS_MS.length;
const RESEND_MS = 60_000; // an older bid is sent again only when its bidder says so
const CARD_WAITS_MS = [500, 1_000, 1_500]; // bidding learns of a new card within about a second
const ANSWER_MS = 8_000;

/** No answer came, so the bid may count. Sending it again under its key is safe. */
export class Unanswered extends Error {
  /** @param {BidBody} body */
  constructor(body) {
    super("Your bid may have been recorded. Sending it again is safe: it counts once.");
    this.body = body;
  }
}

/** The bidder did not confirm the bid. */
export class Withdrawn extends Error {}

/** @param {string} auctionId */
const slot = (auctionId) => `gavel.bid.${auctionId}`;

/** @param {string} auctionId @returns {PendingBid | null} */
function recall(auctionId) {
  try {
    return JSON.parse(sessionStorage.getItem(slot(auctionId)) ?? "null");
  } catch {
    return null;
  }
}

/**
 * @param {string} auctionId
 * @param {PendingBid | null} bid
 */
function remember(auctionId, bid) {
  try {
    if (bid) sessionStorage.setItem(slot(auctionId), JSON.stringify(bid));
    else sessionStorage.removeItem(slot(auctionId));
  } catch {
    // without storage a reload forgets the key; a retry on this page still has it
  }
}

/** @param {string} auctionId */
export const forget = (auctionId) => remember(auctionId, null);

/** @param {number} ms */
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** @param {BidBody} one @param {BidBody} other */
const isSame = (one, other) => JSON.stringify(one) === JSON.stringify(other);

/**
 * Place the bid. Throws Problem (refused), Unanswered (also when an earlier bid of this tab has no answer yet) or Withdrawn.
 * @param {string} auctionId
 * @param {BidBody} body
 * @param {Prompts} prompts
 */
export async function place(auctionId, body, prompts) {
  const pending = recall(auctionId);
  if (pending && !isSame(pending.body, body)) throw new Unanswered(pending.body);
  const bid = pending ?? { key: newKey(), body, at: Date.now() };
  remember(auctionId, bid);
  return send(auctionId, bid, prompts);
}

/**
 * Send again what this tab sent before the page was loaded; null when there is nothing. Throws as place() does.
 * @param {string} auctionId
 * @param {Prompts} prompts
 * @param {{byBidder?: boolean}} [options] byBidder: the bidder asked for it, so its age does not matter.
 */
export async function resume(auctionId, prompts, { byBidder = false } = {}) {
  const pending = recall(auctionId);
  if (!pending) return null;
  if (!byBidder && !(Date.now() - pending.at < RESEND_MS)) throw new Unanswered(pending.body);
  return send(auctionId, pending, prompts);
}

/**
 * @param {string} auctionId
 * @param {PendingBid} bid
 * @param {Prompts} prompts
 * @returns {Promise<BidAnswer>}
 */
async function send(auctionId, { key, body }, { onRetry, confirm, hasCard }) {
  let bid = body;
  let cardWaits = 0;
  for (let attempt = 0; ; ) {
    try {
      const answer = await post(`/api/v1/auctions/${auctionId}/bids`, bid, { key, timeoutMs: ANSWER_MS });
      forget(auctionId);
      return answer;
    } catch (error) {
      if (isUnavailable(error)) {
        if (attempt === REPEATS) throw new Unanswered(body);
        attempt += 1;
        onRetry(attempt);
        await wait(Math.max(WAITS_MS[attempt - 1] ?? 0, error instanceof Problem ? error.retryAfterMs : 0));
        continue;
      }
      forget(auctionId);
      if (!(error instanceof Problem)) throw error;
      const cardWait = CARD_WAITS_MS[cardWaits];
      if (error.code === "confirmation_required") {
        if (!(await confirm(error))) throw new Withdrawn();
        bid = { ...body, confirmation: error.body.confirmation };
        remember(auctionId, { key, body, at: Date.now() });
      } else if (error.code === "card_missing" && cardWait !== undefined && (await hasCard())) {
        await wait(cardWait);
        cardWaits += 1;
      } else throw error;
    }
  }
}
