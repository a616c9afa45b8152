// The auctions that I bid in, with my standing in each, kept up to date from the stream.

import { get, withQuery } from "../api.js";
import * as clock from "../clock.js";
import { shortDate } from "../dates.js";
import { byId, chip, h, setText } from "../dom.js";
import { money } from "../format.js";
import { formatOf } from "../formats.js";
import { empty, pictureCell, showPager, showProblem, table } from "../lists.js";
import { after, isBidEvent } from "../lots.js";
import { AWARDED_MS, isAboutAwards } from "../shop/awards.js";
import { nameOf, standingWord, timing } from "../states.js";
import { stream } from "../stream.js";

/** @import {Award, Cart, Frame, OwnBid, Page} from "../bodies.d.ts" */

const PAGE_SIZE = 50;

const container = byId("bids");
/** @type {Map<string, Row>} */
let rows = new Map();
let page = 1;
/** What the reader is to pay in the cart, by auction: the most urgent of each. @type {Map<string, Award>} */
let due = new Map();

class Row {
  /** @param {Pick<OwnBid, "auction" | "standing" | "alias" | "maximum">} item */
  constructor(item) {
    this.standing = chip("");
    this.pay = h("span", { class: "small" });
    this.price = h("td", { class: "figure", dataset: { label: "Price" } });
    this.maximum = h("td", { class: "figure", dataset: { label: "Your maximum" } });
    this.time = h("td", { class: "figure", dataset: { label: "Time" } });
    const { auction } = item;
    this.item = item;
    const title = h("th", { scope: "row" }, h("a", { href: `/auctions/${auction.id}` }, nameOf(auction)));
    this.element = h(
      "tr",
      {},
      pictureCell(auction.thumbnail),
      title,
      h("td", {}, this.standing, this.pay),
      this.price,
      this.maximum,
      this.time,
    );
    this.show(item);
  }

  get lot() {
    return this.item.auction;
  }

  /** @param {Pick<OwnBid, "auction" | "standing" | "alias" | "maximum">} item */
  show(item) {
    this.item = item;
    const { auction, standing, maximum } = item;
    const [word, mood] = standingWord(standing);
    setText(this.standing, word);
    this.standing.className = `chip ${mood}`;
    setText(this.price, formatOf(auction).price(auction).amount);
    const hasMaximum = maximum && formatOf(auction).isContest;
    setText(this.maximum, hasMaximum ? money(maximum, auction.currency) : "–");
    this.showDue();
    this.tick(clock.now());
  }

  /** The way to pay a won lot, and until when. */
  showDue() {
    const award = due.get(this.lot.id);
    this.pay.replaceChildren(...(award ? [" ", h("a", { href: "/cart" }, `Pay by ${shortDate(award.pay_by)}`)] : []));
  }

  /** @param {number} now */
  tick(now) {
    const { label, text, isSoon } = timing(this.lot, now);
    setText(this.time, ["SOLD_OUT", "CANCELLED"].includes(this.lot.status) ? text : `${label} ${text}`);
    this.time.classList.toggle("soon", isSoon);
  }

  follow() {
    if (["CLOSED", "CANCELLED"].includes(this.lot.status)) return;
    stream.watch(this.lot.id, this.lot.seq, { onFrame: (frame) => this.#receive(frame), onLost: load });
  }

  /** @param {Frame} frame */
  #receive(frame) {
    const lot = after(this.lot, frame);
    if (lot && isBidEvent(frame) && formatOf(lot).isContest) {
      this.show({ ...this.item, auction: lot, standing: formatOf(lot).standing(lot, this.item.alias) });
    }
    load();
  }
}

const HEADS = ["", "Lot", "Standing", "Price", "Your maximum", "Time"];

/** @type {Promise<void> | null} */
let loading = null;
let isOutdated = false;

/** The list may lack what happens while it is loaded, so that a call during a load causes one more. */
function load() {
  isOutdated = loading !== null;
  loading ??= fetchAndShow().finally(() => {
    loading = null;
    if (isOutdated) load();
  });
  return loading;
}

async function fetchAndShow() {
  try {
    /** @type {Page<OwnBid>} */
    const bids = await get(withQuery("/api/v1/bids/mine", { page, page_size: PAGE_SIZE }));
    showProblem(byId("problem"), null);
    container.removeAttribute("aria-busy");
    showPager(byId("pager"), bids, (target) => {
      page = target;
      load();
    });
    if (bids.items.length === 0) {
      container.replaceChildren(
        empty(
          "You haven't placed any bids yet",
          h("p", {}, "Each lot that you bid on appears here, with your standing."),
          h("p", {}, h("a", { class: "button", href: "/" }, "Browse auctions")),
        ),
      );
      return;
    }
    /** @type {Map<string, Row>} */
    const shown = new Map();
    for (const item of bids.items) {
      const row = rows.get(item.auction.id);
      if (row && item.seq >= row.lot.seq) row.show(item);
      shown.set(item.auction.id, row ?? new Row(item));
    }
    const fresh = [...shown.values()].filter((row) => !rows.has(row.lot.id));
    for (const id of rows.keys()) if (!shown.has(id)) stream.unwatch(id);
    rows = shown;
    if (fresh.length || !container.querySelector("tbody")) {
      const elements = [...rows.values()].map((row) => row.element);
      container.replaceChildren(h("div", { class: "table-frame" }, table("Your bids, newest first", HEADS, elements)));
    }
    for (const row of fresh) row.follow();
  } catch (error) {
    showProblem(byId("problem"), error, { retry: load });
  }
}

/** The list is complete without: then it does not say what is to be paid. */
async function loadDue() {
  try {
    /** @type {Cart} */
    const { awards } = await get("/api/v1/cart");
    due = new Map(awards.toReversed().map((award) => [award.auction_id, award]));
    for (const row of rows.values()) row.showDue();
  } catch {
    // the next notification loads it again
  }
}

stream.addEventListener("notification", ({ detail }) => {
  if (isAboutAwards(detail)) for (const ms of AWARDED_MS) setTimeout(loadDue, ms);
});
clock.onTick((now) => {
  for (const row of rows.values()) row.tick(now);
});
load();
loadDue();
