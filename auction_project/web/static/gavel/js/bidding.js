// Placing a bid so that it counts once: one Idempotency-Key per bid, and the same bid again under the same key until an
// answer comes. The key outlives the page in the tab's storage until then. Nothing here asks "did it arrive?": while the
// server still writes the bid, the answer to that question is no, and the bid stands a moment later.

import { newKey, Offline, post, Problem } from "./api.js";

const WAITS_MS = [500, 1_000, 2_000, 3_000, 4_000, 5_000, 5_000, 5_000];
export const REPEATS = WAITS_MS.length;
const RESEND_MS = 60_000; // a bid that is older is sent again only when its bidder says so
const CARD_WAITS_MS = [500, 1_000, 1_500]; // bidding learns of a new card within about a second

/** No answer came: the bid may stand. Sending it again under its key is safe. */
export class Unanswered extends Error {
  constructor(body) {
    super("Your bid may have been recorded. Sending it again is safe: it counts once.");
    this.body = body;
  }
}

/** The bidder was asked to confirm the bid and did not. */
export class Withdrawn extends Error {}

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

export const forget = (auctionId) => remember(auctionId, null);

const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const isAway = (error) => error instanceof Offline || (error instanceof Problem && error.status >= 500);
const isSame = (one, other) => JSON.stringify(one) === JSON.stringify(other);

/**
 * Place the bid. `onRetry(attempt)` is called before each repeat, `confirm(problem)` resolves to whether the bidder means
 * an unusual bid, `hasCard()` to whether there is a usable card. Throws Problem (refused), Unanswered or Withdrawn.
 */
export async function place(auctionId, body, asks) {
  const kept = recall(auctionId);
  if (kept && !isSame(kept.body, body)) throw new Unanswered(kept.body);
  const bid = kept ?? { key: newKey(), body, at: Date.now() };
  remember(auctionId, bid);
  return send(auctionId, bid, asks);
}

/** Send again what this tab sent before the page was loaded, null when there is nothing. Throws as place() does. */
export async function resume(auctionId, asks, { byBidder = false } = {}) {
  const kept = recall(auctionId);
  if (!kept) return null;
  if (!byBidder && !(Date.now() - kept.at < RESEND_MS)) throw new Unanswered(kept.body);
  return send(auctionId, kept, asks);
}

async function send(auctionId, { key, body }, { onRetry, confirm, hasCard }) {
  let sent = body;
  let cardWaits = 0;
  for (let attempt = 0; ; ) {
    try {
      const answer = await post(`/api/v1/auctions/${auctionId}/bids`, sent, { key, timeoutMs: 8_000 });
      forget(auctionId);
      return answer;
    } catch (error) {
      if (isAway(error)) {
        if (attempt === REPEATS) throw new Unanswered(body);
        attempt += 1;
        onRetry(attempt);
        await wait(Math.max(WAITS_MS[attempt - 1], error.retryAfterMs ?? 0));
        continue;
      }
      forget(auctionId);
      if (error.code === "confirmation_required") {
        if (!(await confirm(error))) throw new Withdrawn();
        sent = { ...body, confirmation: error.body.confirmation };
        remember(auctionId, { key, body, at: Date.now() });
      } else if (error.code === "card_missing" && cardWaits < CARD_WAITS_MS.length && (await hasCard())) {
        await wait(CARD_WAITS_MS[cardWaits]);
        cardWaits += 1;
      } else throw error;
    }
  }
}
