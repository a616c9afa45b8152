// The auctions that I bid in, with my standing in each, kept current from the stream.

import { get, withQuery } from "../api.js";
import * as clock from "../clock.js";
import { byId, chip, h, setText } from "../dom.js";
import { money } from "../format.js";
import { formatOf } from "../formats.js";
import { empty, showPager, showProblem } from "../lists.js";
import { after, timing } from "../lots.js";
import { stream } from "../stream.js";
import { standingWord } from "../words.js";

const PAGE_SIZE = 50;

const place = byId("bids");
let rows = new Map();
let page = 1;

class Row {
  constructor(item) {
    this.standing = chip("");
    this.price = h("td", { class: "figure", dataset: { label: "Price" } });
    this.maximum = h("td", { class: "figure", dataset: { label: "Your maximum" } });
    this.time = h("td", { class: "figure", dataset: { label: "Time" } });
    const { auction } = item;
    const picture = auction.thumbnail ? h("img", { class: "thumb", src: auction.thumbnail, alt: "", width: 56, height: 56, loading: "lazy" }) : null;
    const title = h("th", { scope: "row" }, h("a", { href: `/auctions/${auction.id}` }, auction.title || "Waiting for stock"));
    this.element = h("tr", {}, h("td", {}, picture), title, h("td", {}, this.standing), this.price, this.maximum, this.time);
    this.show(item);
  }

  show({ auction, standing, alias, maximum }) {
    Object.assign(this, { lot: auction, alias, maximumText: maximum });
    const [word, mood] = standingWord(standing);
    setText(this.standing, word);
    this.standing.className = `chip ${mood}`;
    setText(this.price, formatOf(auction).price(auction).amount);
    setText(this.maximum, maximum ? money(maximum, auction.currency) : "–");
    this.tick(clock.now());
  }

  tick(now) {
    const { label, text, isSoon } = timing(this.lot, now);
    setText(this.time, ["OPEN", "SOLD_OUT", "CANCELLED"].includes(this.lot.status) ? text : `${label} ${text}`);
    this.time.classList.toggle("soon", isSoon);
  }

  follow() {
    if (["CLOSED", "CANCELLED"].includes(this.lot.status)) return;
    stream.watch(this.lot.id, this.lot.seq, { onFrame: (frame) => this.#hear(frame), onLost: load });
  }

  #hear(frame) {
    const lot = after(this.lot, frame);
    if (lot && ["BidPlaced", "MaximumChanged"].includes(frame.event) && formatOf(lot).isContest) {
      this.show({ auction: lot, standing: formatOf(lot).standing(lot, this.alias), alias: this.alias, maximum: this.maximumText });
    }
    load();
  }
}

function table(elements) {
  const heads = ["", "Lot", "Standing", "Price", "Your maximum", "Time"];
  return h(
    "div",
    { class: "table-frame" },
    h(
      "table",
      {},
      h("caption", { class: "visually-hidden" }, "Your bids, newest first"),
      h("thead", {}, h("tr", {}, heads.map((head) => (head ? h("th", { scope: "col" }, head) : h("td"))))),
      h("tbody", {}, elements),
    ),
  );
}

let loading = null;
let isOutdated = false;

/** What happens while the list is loaded may not be in it: then it is loaded once more. */
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
    const found = await get(withQuery("/api/v1/bids/mine", { page, page_size: PAGE_SIZE }));
    const { items } = found;
    showProblem(byId("problem"), null);
    place.removeAttribute("aria-busy");
    showPager(byId("pager"), found, (target) => {
      page = target;
      load();
    });
    if (items.length === 0) {
      place.replaceChildren(empty("You haven't placed any bids yet", h("p", {}, "Each lot that you bid on appears here, with your standing."), h("p", {}, h("a", { class: "button", href: "/" }, "Browse auctions"))));
      return;
    }
    const fresh = new Map();
    for (const item of items) {
      const known = rows.get(item.auction.id);
      if (known && item.seq >= known.lot.seq) known.show(item);
      fresh.set(item.auction.id, known ?? new Row(item));
    }
    const news = [...fresh.values()].filter((row) => !rows.has(row.lot.id));
    for (const id of rows.keys()) if (!fresh.has(id)) stream.unwatch(id);
    rows = fresh;
    if (news.length || !place.querySelector("tbody")) place.replaceChildren(table([...rows.values()].map((row) => row.element)));
    news.forEach((row) => row.follow());
  } catch (error) {
    showProblem(byId("problem"), error, { retry: load });
  }
}

clock.onTick((now) => rows.forEach((row) => row.tick(now)));
load();
