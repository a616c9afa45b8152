// The live page of one lot: figures, countdown, record, own standing. The form is in bid_form.js.

import { get, me, Problem } from "../api.js";
import { BidForm } from "../bid_form.js";
import * as clock from "../clock.js";
import { byId, flash, h, note, readJson, setText } from "../dom.js";
import { instant, money, plural } from "../format.js";
import { showProblem } from "../lists.js";
import { after, priceOf, standingOf, timing } from "../lots.js";
import { draw } from "../plot.js";
import { fromFrame, Record, showRecord } from "../record.js";
import { stream } from "../stream.js";
import { rulesOf, statusOf } from "../words.js";

const CALLS_MS = [300_000, 60_000, 10_000]; // announced when that much time is left
const LATE_MS = 2_500; // after the end, when no frame has said so

const article = byId("lot");
const id = article.dataset.auction;
const figures = readJson("rules");
const path = `/api/v1/auctions/${id}`;

let lot = null;
let record = null;
let standing = { standing: "none", alias: null, maximum: null };
let announced = Infinity;
let checking = 0;

const form = new BidForm(id, {
  onAnswer(answer) {
    standing = { ...standing, standing: answer.standing, alias: answer.bidder };
    if (answer.seq > lot.seq) {
      const { seq, hash, price, minimum, ends_at, reserve_met, quantity_left } = answer;
      const leader = answer.standing === "leading" ? answer.bidder : lot.leader;
      show({ ...lot, seq, hash, price, minimum, ends_at, reserve_met, quantity_left, leader, bids: lot.bids + 1 });
    }
    loadStanding();
  },
});

// --- loading -----------------------------------------------------------------------------------------------------

async function load() {
  const loaded = await get(path, { auth: false });
  record ??= new Record(id, loaded.currency);
  await record.load(loaded.seq);
  stream.knows(id, loaded.seq);
  show(loaded);
  if (me.id) await loadStanding();
}

async function loadStanding() {
  if (!me.id) return;
  try {
    standing = await get(`${path}/mine`);
    if (standing.seq < lot.seq) followLeader();
    showStanding();
    showHistory();
  } catch {
    // the next frame asks again
  }
}

/** Bids came after the standing was read: whoever has bid leads, or is outbid. */
function followLeader() {
  if (!standing.alias || lot.format === "buy_now" || lot.status !== "OPEN") return;
  standing = { ...standing, standing: standingOf(lot, standing.alias) };
}

async function start() {
  try {
    await clock.ready;
    await load();
  } catch (error) {
    if (error instanceof Problem && error.status === 404) document.title = "No such auction · Gavel";
    showProblem(byId("problem"), error, { retry: error instanceof Problem && error.status === 404 ? null : start });
    return;
  }
  showProblem(byId("problem"), null);
  stream.watch(id, lot.seq, { onFrame, onLost: () => reload() });
  clock.onTick(tick);
  form.recover();
}

async function reload() {
  try {
    await load();
  } catch {
    setTimeout(reload, LATE_MS);
  }
}

function onFrame(frame) {
  record.add(fromFrame(frame, lot.currency));
  const next = after(lot, frame);
  if (next) show(next);
  else showHistory();
  if (frame.event !== "BidPlaced") reload();
  else {
    followLeader();
    showStanding();
  }
}

// --- showing -----------------------------------------------------------------------------------------------------

function show(next) {
  if (lot && next.seq < lot.seq) return;
  const before = lot;
  lot = next;
  article.hidden = false;
  article.removeAttribute("aria-busy");
  if (!before || before.title !== lot.title || before.status !== lot.status) showLot();
  showFigures(before);
  showHistory();
  showStanding();
  form.show(lot, { isOwn: me.id !== "" && lot.seller_id === me.id });
}

function showLot() {
  const name = lot.title || "A lot that waits for the stock desk";
  document.title = `${name} · Gavel`;
  setText(byId("title"), name);
  setText(byId("text"), lot.text || "No description.");
  setText(byId("kind"), lot.format === "buy_now" ? "Buy now" : "Auction");
  const picture = byId("picture");
  if (lot.thumbnail && !picture.getAttribute("src")) {
    picture.src = lot.thumbnail.replace("/thumbnail", "/image");
    picture.alt = lot.title;
  }
  const terms = { ...lot.terms, format: lot.format, currency: lot.currency, has_reserve: lot.has_reserve, quantity: lot.quantity, starts_at: lot.starts_at, ends_at: lot.ends_at };
  byId("rules-text").replaceChildren(...rulesOf(terms, figures).map((line) => h("li", {}, line)));
  byId("desk-link").hidden = !(me.has("operator") || (me.id && lot.seller_id === me.id));
}

function showFigures(before) {
  const { label, amount } = priceOf(lot);
  setText(byId("price-label"), lot.format === "buy_now" ? "Price of one" : label);
  if (setText(byId("price"), amount) && before) {
    flash(byId("price"));
    announce(`Price ${amount}`);
  }
  if (before && lot.ends_at > before.ends_at) {
    flash(byId("countdown"));
    announce(`Extended: it now ends at ${instant(lot.ends_at)}`);
    announced = Infinity;
  }
  const [word, mood] = statusOf(lot.status);
  const bidders = new Set(record.bids.map((bid) => bid.bidder)).size;
  const isAuction = lot.format !== "buy_now";
  const items = [
    h("li", {}, h("span", { class: `chip ${mood}` }, word)),
    isAuction && h("li", {}, h("strong", {}, plural(lot.bids, "bid")), bidders ? ` by ${plural(bidders, "bidder")}` : ""),
    isAuction && lot.leader && h("li", {}, "Leader ", h("strong", {}, lot.leader === standing.alias ? "you" : lot.leader)),
    isAuction && lot.status === "OPEN" && h("li", {}, "Next bid at least ", h("strong", { id: "minimum" }, money(lot.minimum, lot.currency))),
    isAuction && lot.has_reserve && h("li", {}, lot.reserve_met ? "Reserve met" : "Reserve not met yet"),
    !isAuction && h("li", {}, h("strong", {}, String(lot.quantity_left)), ` of ${lot.quantity} left`),
  ];
  byId("meta").replaceChildren(...items.filter(Boolean));
}

function showHistory() {
  const view = { alias: standing.alias, format: lot.format, currency: lot.currency };
  showRecord(byId("log"), record, view);
  if (lot.format !== "buy_now") draw(byId("plot"), record.bids, view);
}

function showStanding() {
  const place = byId("standing");
  const told = tellStanding();
  const text = told ? told.textContent : "";
  if (place.textContent !== text) place.replaceChildren(...(told ? [told] : []));
}

function tellStanding() {
  const maximum = standing.maximum ? money(standing.maximum, lot.currency) : "";
  const orders = h("p", {}, h("a", { href: "/orders" }, "See your orders"));
  if (lot.status === "CANCELLED") return note("warn", "This auction was cancelled", lot.reason || "");
  if (lot.status === "REQUESTED") return note("warn", "Waiting for the stock desk", "It is listed as soon as its units are set aside.");
  switch (standing.standing) {
    case "leading":
      return note("good", "You lead", maximum ? `Your maximum is ${maximum}. Only you see it.` : "");
    case "outbid":
      return note("bad", "You were outbid", `To lead again, bid at least ${money(lot.minimum, lot.currency)}.`);
    case "won":
      return note("good", "You won this lot", orders);
    case "bought":
      return note("good", "You bought here", orders);
    case "ended":
      return note("", "This auction is over", "The lot did not go to you.");
    default:
      return lot.status === "CLOSED" ? note("", "This auction is over", lot.bids && lot.format !== "buy_now" ? `The last price was ${money(lot.price, lot.currency)}.` : "") : null;
  }
}

function tick(now) {
  const { label, text, isSoon } = timing(lot, now);
  setText(byId("countdown-label"), label);
  setText(byId("countdown"), text);
  byId("countdown").classList.toggle("soon", isSoon);
  const due = lot.status === "OPEN" ? lot.ends_at : lot.status === "SCHEDULED" ? lot.starts_at : Infinity;
  if (now > due + LATE_MS && now > checking + LATE_MS) {
    checking = now;
    reload();
  }
  const call = lot.status === "OPEN" ? CALLS_MS.findLast((limit) => lot.ends_at - now <= limit && lot.ends_at > now) : undefined;
  if (call !== undefined && call < announced) {
    announced = call;
    announce(`${text} left`);
  }
}

function announce(text) {
  setText(byId("announcer"), text);
}

start();
