// A lot in a list: its card, kept current from the stream, and the body of one auction brought up to a frame.

import * as clock from "./clock.js";
import { chip, flash, h, setText } from "./dom.js";
import { longDate, money, plural, span } from "./format.js";
import { statusOf } from "./words.js";

const SOON_MS = 60_000;

/** `lot` as it is after the frame; null when the frame does not say enough and the lot must be loaded. A frame of the
 * lot's own seq counts, too: it knows what a bidder's answer, which brought the lot there, could not. */
export function after(lot, { seq, event, data }) {
  if (seq < lot.seq) return lot;
  if (event === "BidPlaced") {
    const { price, minimum, ends_at, bids, leader, reserve_met, quantity_left, hash } = data;
    return { ...lot, seq, hash, price, minimum, ends_at, bids, leader, reserve_met, quantity_left, status: "OPEN" };
  }
  if (event === "AuctionOpened") return { ...lot, seq, hash: data.hash, status: "OPEN", ends_at: data.ends_at };
  if (event === "AuctionClosed") return { ...lot, seq, hash: data.hash, status: "CLOSED" };
  if (event === "AuctionWithdrawn") return { ...lot, seq, hash: data.hash, status: "CANCELLED", reason: data.reason };
  return null;
}

/** How the bidder of that alias stands in an English auction that is open. */
export const standingOf = (lot, alias) => (lot.leader === alias ? "leading" : "outbid");

/** {label, text, isSoon} of the time that matters. */
export function timing(lot, now) {
  const until = (at) => ({ text: span(at - now), isSoon: at - now < SOON_MS });
  switch (lot.status) {
    case "OPEN":
      return lot.ends_at > now ? { label: "Ends in", ...until(lot.ends_at) } : { label: "Ends", text: "Closing …", isSoon: true };
    case "SCHEDULED":
      return lot.starts_at > now ? { label: "Opens in", ...until(lot.starts_at), isSoon: false } : { label: "Opens", text: "Opening …", isSoon: false };
    case "CLOSED":
      return { label: "Ended", text: longDate(lot.ends_at), isSoon: false };
    case "CANCELLED":
      return { label: "Ended", text: "Cancelled", isSoon: false };
    default:
      return { label: "Opens", text: longDate(lot.starts_at), isSoon: false };
  }
}

export function priceOf(lot) {
  if (lot.format === "buy_now") return { label: "Buy now", amount: money(lot.price ?? lot.minimum, lot.currency) };
  if (lot.price) return { label: lot.status === "OPEN" ? "Current bid" : "Last bid", amount: money(lot.price, lot.currency) };
  return { label: "Starts at", amount: money(lot.minimum, lot.currency) };
}

export function interest(lot) {
  if (lot.format === "buy_now") return lot.quantity_left ? `${lot.quantity_left} left` : "Sold out";
  return lot.bids ? plural(lot.bids, "bid") : "No bids yet";
}

export class Card {
  constructor(lot, { heading = "h2" } = {}) {
    this.lot = lot;
    this.status = chip("");
    this.priceLabel = h("dt");
    this.amount = h("dd", { class: "amount" });
    this.timeLabel = h("dt");
    this.time = h("dd", { class: "figure" });
    this.interest = h("span", { class: "muted small" });
    const picture = lot.thumbnail ? h("img", { src: lot.thumbnail, alt: "", loading: "lazy", width: 400, height: 400 }) : null;
    this.element = h(
      "li",
      { class: "lot-card" },
      h("div", { class: "lot-picture" }, picture, this.status),
      h(heading, {}, h("a", { href: `/auctions/${lot.id}` }, lot.title || "Untitled lot")),
      h("p", {}, this.interest),
      h("dl", { class: "lot-figures" }, h("div", {}, this.priceLabel, this.amount), h("div", {}, this.timeLabel, this.time)),
    );
    this.show(lot);
    this.tick(clock.now());
  }

  show(lot) {
    const [word, mood] = statusOf(lot.status);
    this.lot = lot;
    this.status.className = `chip ${mood}`;
    setText(this.status, word);
    const { label, amount } = priceOf(lot);
    setText(this.priceLabel, label);
    const before = this.amount.textContent;
    if (setText(this.amount, amount) && before) flash(this.amount);
    setText(this.interest, interest(lot));
  }

  tick(now) {
    const { label, text, isSoon } = timing(this.lot, now);
    setText(this.timeLabel, label);
    setText(this.time, text);
    this.time.classList.toggle("soon", isSoon);
  }
}
