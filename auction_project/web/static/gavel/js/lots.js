// A lot in a list: its card, kept current from the stream, and the body of one auction brought up to a frame.

import * as clock from "./clock.js";
import { chip, flash, h, setText } from "./dom.js";
import { formatOf } from "./formats.js";
import { nameOf, stateOf, timing } from "./states.js";

/** @import {Frame, FrameData, Lot} from "./bodies.d.ts" */

/** The events of an auction that change no more than its bids. @param {Frame} frame */
export const isBidEvent = ({ event }) => event === "BidPlaced" || event === "MaximumChanged";

/**
 * `lot` as it is after the frame; null when the frame does not say enough, so that the lot must be loaded. A frame of the
 * lot's own seq counts, too: it has what the answer to a bid, which brought the lot to that seq, has not.
 * @param {Lot} lot
 * @param {Frame} frame
 * @returns {Lot | null}
 */
export function after(lot, { seq, event, data }) {
  if (seq < lot.seq) return lot;
  const at = { ...lot, seq, hash: data.hash };
  switch (event) {
    case "BidPlaced":
    case "MaximumChanged":
      return afterBid(at, data);
    case "AuctionOpened":
      return { ...at, status: "OPEN", outcome: null, ends_at: data.ends_at ?? lot.ends_at };
    case "AuctionClosed":
      return formatOf(lot).afterClose(at, data);
    case "AuctionWithdrawn":
      return { ...at, status: "CANCELLED", outcome: "cancelled", reason: data.reason };
    case "AuctionSoldOut":
      return { ...at, status: "SOLD_OUT", outcome: "sold_out", quantity_left: 0, ended: data.ended ?? lot.ended };
    case "LotSettled":
      return { ...at, ended: data.ended ?? lot.ended };
    case "LotSaleFailed":
      return formatOf(lot).afterFailedSale(at, data);
    default:
      return null;
  }
}

/**
 * The frame has what the listing promised. The body may know that less is in stock, so the smaller figure counts. The purchase
 * of the last unit ends the listing, until a sale falls through.
 * @param {Lot} lot
 * @param {FrameData} data
 * @returns {Lot}
 */
function afterBid(
  lot,
  { price, minimum = lot.minimum, ends_at = lot.ends_at, bids = lot.bids, leader, reserve_met, quantity_left: left },
) {
  const quantity_left = left === undefined ? lot.quantity_left : Math.min(left, lot.quantity_left);
  return {
    ...lot,
    price: price ?? lot.price,
    minimum,
    ends_at,
    bids,
    leader,
    reserve_met,
    quantity_left,
    status: left === 0 ? "SOLD_OUT" : "OPEN",
    outcome: left === 0 ? "sold_out" : null,
  };
}

export class Card {
  /** @param {Lot} lot */
  constructor(lot) {
    this.lot = lot;
    this.status = chip("");
    this.priceLabel = h("dt");
    this.amount = h("dd", { class: "amount" });
    this.timeLabel = h("dt");
    this.time = h("dd", { class: "figure" });
    this.interest = h("span", { class: "muted small" });
    const picture = lot.thumbnail
      ? h("img", { src: lot.thumbnail, alt: "", loading: "lazy", width: 400, height: 400 })
      : null;
    this.element = h(
      "li",
      { class: "lot-card" },
      h("div", { class: "lot-picture" }, picture, this.status),
      h("h2", {}, h("a", { href: `/auctions/${lot.id}` }, nameOf(lot))),
      h("p", {}, this.interest),
      h(
        "dl",
        { class: "lot-figures" },
        h("div", {}, this.priceLabel, this.amount),
        h("div", {}, this.timeLabel, this.time),
      ),
    );
    this.show(lot);
    this.tick(clock.now());
  }

  /** @param {Lot} lot */
  show(lot) {
    const [word, mood] = stateOf(lot);
    this.lot = lot;
    this.status.className = `chip ${mood}`;
    setText(this.status, word);
    const { label, amount } = formatOf(lot).price(lot);
    setText(this.priceLabel, label);
    const before = this.amount.textContent;
    if (setText(this.amount, amount) && before) flash(this.amount);
    setText(this.interest, formatOf(lot).interest(lot));
  }

  /** @param {number} now */
  tick(now) {
    const { label, text, isSoon } = timing(this.lot, now);
    setText(this.timeLabel, label);
    setText(this.time, text);
    this.time.classList.toggle("soon", isSoon);
  }
}
