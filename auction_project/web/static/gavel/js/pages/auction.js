// The live page of one lot: figures, countdown, record, and the one sentence of standing.js. The form is in bid_form.js.

import { get, me, withQuery } from "../api.js";
import { BidForm } from "../bid_form.js";
import * as clock from "../clock.js";
import { shortDate } from "../dates.js";
import { byId, flash, h, note, readJson, setText } from "../dom.js";
import { isNotFound } from "../errors.js";
import { fromMinor, money, plural } from "../format.js";
import { formatOf, rulesOf, termsOf } from "../formats.js";
import { showProblem } from "../lists.js";
import { after, isBidEvent } from "../lots.js";
import { draw } from "../plot.js";
import { AuctionRecord, fromFrame } from "../record.js";
import { loadRecord, showRecord } from "../record_list.js";
import { showSimilar } from "../similar.js";
import { paymentMs, sentence } from "../standing.js";
import { nameOf, stateOf, timing } from "../states.js";
import { stream } from "../stream.js";

/** @import {Award, BidAnswer, Frame, Lot, Order, OwnStanding, Page, RuleFigures} from "../bodies.d.ts" */

const CALLS_MS = [300_000, 60_000, 10_000]; // announced when that much time is left
const LATE_MS = 2_500; // after the end, when no frame has said so
const AWARD_MS = 1_500; // while orders does not know of a sale yet, or its payment is under way

const article = byId("lot");
const id = article.dataset.auction ?? "";
/** @type {RuleFigures} */
const figures = readJson("rules");
const path = `/api/v1/auctions/${id}`;

/** Set by load(), before anything is shown or received. @type {Lot} */
let lot;
/** @type {AuctionRecord} */
let record;
let isShown = false;
/** @type {OwnStanding} */
let standing = { standing: "none", alias: null, maximum: null };
/** The answer to the last bid from this page. @type {BidAnswer | null} */
let lastAnswer = null;
/** The reader's order of this lot, once it is placed. */
let orderNumber = "";
/** What the reader is to pay, has paid or has not, where the terms leave time. @type {Award | null} */
let award = null;
let awardTimer = 0;
/** The last call that was announced, as time left. */
let announced = Number.POSITIVE_INFINITY;
/** When the page last looked whether the lot has changed at its due time. */
let lastCheck = 0;

const form = new BidForm(id, {
  onAnswer(answer) {
    lastAnswer = answer;
    orderNumber = "";
    award = null;
    standing = { ...standing, standing: answer.standing, alias: answer.bidder, maximum: ownMaximum(answer) };
    if (answer.seq > lot.seq) {
      const { seq, hash, price, minimum, ends_at, reserve_met } = answer;
      const leader = answer.standing === "leading" ? answer.bidder : lot.leader;
      const quantity_left = Math.min(answer.quantity_left, lot.quantity_left);
      show({ ...lot, seq, hash, price, minimum, ends_at, reserve_met, quantity_left, leader });
    } else showStanding();
    loadStanding();
    if (!formatOf(lot).isContest) reload();
  },
});

/** The maximum that the receipt holds (in minor units); a purchase has none. @param {BidAnswer} answer */
function ownMaximum({ receipt }) {
  const maximum = receipt?.opening?.maximum;
  return maximum ? fromMinor(maximum, lot.currency) : null;
}

// --- loading -----------------------------------------------------------------------------------------------------

async function load() {
  /** @type {Lot} */
  const loaded = await get(path, { auth: false });
  record ??= new AuctionRecord(loaded.currency);
  await loadRecord(record, id, loaded.seq);
  stream.knows(id, loaded.seq);
  show(loaded);
  if (me.id) await loadStanding();
}

async function loadStanding() {
  if (!me.id) return;
  try {
    /** @type {OwnStanding & {seq: number}} */
    const loaded = await get(`${path}/mine`);
    standing = loaded;
    if (loaded.seq < lot.seq) followLeader();
    showOwn();
    if (!["won", "bought", "failed"].includes(standing.standing)) return;
    if (paymentMs(lot)) await loadAward();
    else if (!orderNumber && standing.standing !== "failed") await loadOrder();
  } catch {
    // the next frame loads it again
  }
}

/** The order of the last purchase from this page, else the reader's newest one of this lot. There is none until the stock is
 * reserved and the card is charged. */
async function loadOrder() {
  // The API has no filter for a sale, and another tab may have bought since: the order of a known sale takes a page.
  const page_size = lastAnswer?.sale_id ? null : 1;
  /** @type {Page<Order>} */
  const { items } = await get(withQuery("/api/v1/orders", { auction_id: id, page_size }));
  const sale = lastAnswer?.sale_id;
  const order = sale ? items.find((item) => item.sale_id === sale) : items[0];
  orderNumber = order?.number ?? "";
  showStanding();
}

/** The reader's award of this lot: what is to be paid, else the newest one. The news of a sale is here before orders has it. */
async function loadAward() {
  /** @type {{items: Award[]}} */
  const { items } = await get(withQuery("/api/v1/awards", { auction_id: id }));
  const isKnown = !lastAnswer?.sale_id || items.some((item) => item.id === lastAnswer?.sale_id);
  award = isKnown ? (items.find(({ state }) => state === "DUE") ?? items[0] ?? null) : null;
  showStanding();
  clearTimeout(awardTimer);
  if (!award || award.state === "PAYING") awardTimer = setTimeout(() => loadAward().catch(() => {}), AWARD_MS);
}

/** Bids came after the standing was read: the reader, if a bidder, leads or is outbid. */
function followLeader() {
  if (!standing.alias || !formatOf(lot).isContest || lot.status !== "OPEN") return;
  standing = { ...standing, standing: formatOf(lot).standing(lot, standing.alias) };
}

async function start() {
  try {
    await clock.ready;
    await load();
  } catch (error) {
    if (isNotFound(error)) document.title = "No such lot · Gavel";
    showProblem(byId("problem"), error, { retry: isNotFound(error) ? null : start });
    return;
  }
  showProblem(byId("problem"), null);
  stream.watch(id, lot.seq, { onFrame, onLost: () => reload() });
  clock.onTick(tick);
  form.recover();
}

/** @type {Promise<void> | null} */
let loading = null;
let isOutdated = false;

/** Load once. Calls during a load cause one more after it. */
function reload() {
  isOutdated = loading !== null;
  loading ??= load()
    .catch(() => {
      setTimeout(reload, LATE_MS);
    })
    .finally(() => {
      loading = null;
      if (isOutdated) reload();
    });
  return loading;
}

/** @param {Frame} frame */
function onFrame(frame) {
  record.add(fromFrame(frame, lot.currency));
  const next = after(lot, frame);
  if (next) show(next);
  else showHistory();
  if (!isBidEvent(frame) || !formatOf(lot).isContest) reload();
  else {
    followLeader();
    showOwn();
  }
}

// --- showing -----------------------------------------------------------------------------------------------------

/** @param {Lot} next */
function show(next) {
  if (isShown && next.seq < lot.seq) return;
  const before = isShown ? lot : null;
  lot = next;
  isShown = true;
  article.hidden = false;
  article.removeAttribute("aria-busy");
  if (!before || before.title !== lot.title || before.status !== lot.status) showLot();
  showFigures(before);
  showOwn();
  if (!["OPEN", "SCHEDULED", "REQUESTED"].includes(lot.status)) showSimilar(lot);
}

/** Show what depends on the reader: the leader's name, the record's "you", the sentence and the form. */
function showOwn() {
  showMeta();
  showHistory();
  showStanding();
  form.show(lot, standing, { isOwn: me.id !== "" && lot.seller_id === me.id });
}

function showLot() {
  const name = nameOf(lot);
  setText(byId("title"), name);
  setText(byId("text"), lot.text || "No description.");
  setText(byId("kind"), formatOf(lot).label);
  const picture = byId("picture", HTMLImageElement);
  if (lot.thumbnail && !picture.getAttribute("src")) {
    picture.src = lot.thumbnail.replace("/thumbnail", "/image");
    picture.alt = lot.title;
  }
  byId("rules-text").replaceChildren(...rulesOf(termsOf(lot), figures).map((line) => h("li", {}, line)));
  byId("desk-link").hidden = !(me.has("operator") || (me.id && lot.seller_id === me.id));
}

/** @param {Lot | null} before */
function showFigures(before) {
  const { amount } = formatOf(lot).price(lot);
  setText(byId("price-label"), formatOf(lot).priceLabel(lot));
  if (setText(byId("price"), amount) && before) {
    flash(byId("price"));
    announce(`Price ${amount}`);
  }
  if (before && lot.ends_at > before.ends_at) {
    flash(byId("countdown"));
    announce(`Extended: the auction now ends at ${shortDate(lot.ends_at)}`);
    announced = Number.POSITIVE_INFINITY;
  }
}

function showMeta() {
  const [word, mood] = stateOf(lot);
  const bidders = new Set(record.bids.map((bid) => bid.bidder)).size;
  const { isContest } = formatOf(lot);
  const isOver = !["OPEN", "SCHEDULED", "REQUESTED"].includes(lot.status);
  const isYou = lot.leader && lot.leader === standing.alias;
  const leads = isOver ? (lot.outcome === "sold" ? "Buyer " : "Highest bidder ") : "Leader ";
  const items = [
    h("li", {}, h("span", { class: `chip ${mood}` }, word)),
    isContest &&
      h("li", {}, h("strong", {}, plural(lot.bids, "bid")), bidders ? ` by ${plural(bidders, "bidder")}` : ""),
    isContest && lot.leader && h("li", {}, leads, h("strong", {}, lot.leader), isYou && " (you)"),
    isContest &&
      lot.status === "OPEN" &&
      !isYou &&
      h("li", {}, "Next bid at least ", h("strong", { id: "minimum" }, money(lot.minimum, lot.currency))),
    isContest && lot.has_reserve && h("li", {}, lot.reserve_met ? "Reserve met" : "Reserve not met"),
    !isContest && h("li", {}, h("strong", {}, String(lot.quantity_left)), ` of ${lot.quantity} left`),
  ];
  byId("meta").replaceChildren(...items.filter((item) => item instanceof Node));
}

function showHistory() {
  const view = { alias: standing.alias, format: lot.format, currency: lot.currency };
  showRecord(byId("log"), record, view);
  if (formatOf(lot).isContest) draw(byId("plot"), record.bids, view);
}

function showStanding() {
  const isOutbid = lot.status === "OPEN" && standing.standing === "outbid"; // seen from another tab, too
  document.title = `${isOutbid ? "(Outbid) " : ""}${nameOf(lot)} · Gavel`;
  const container = byId("standing");
  const content = standingNote();
  if (container.textContent !== (content?.textContent ?? "")) container.replaceChildren(...(content ? [content] : []));
}

/** The sentence of the reader's standing, with the receipt of the last bid. */
function standingNote() {
  const words = sentence(lot, standing, award);
  const receipt =
    lastAnswer &&
    h(
      "p",
      { class: "small muted", id: "receipt" },
      `Receipt: entry ${lastAnswer.seq}, `,
      h("code", {}, `${lastAnswer.hash.slice(0, 16)}…`),
    );
  if (!words) return receipt;
  const link =
    words.link &&
    (orderNumber && standing.standing !== "failed"
      ? h("p", {}, h("a", { href: `/orders/${orderNumber}` }, `Open order ${orderNumber}`))
      : h("p", {}, h("a", { href: words.href }, words.link)));
  return note(words.mood, words.title, words.text, link, receipt);
}

/** @param {number} now */
function tick(now) {
  const { label, text, isSoon } = timing(lot, now);
  setText(byId("countdown-label"), label);
  setText(byId("countdown"), text);
  byId("countdown").classList.toggle("soon", isSoon);
  const due =
    lot.status === "OPEN" ? lot.ends_at : lot.status === "SCHEDULED" ? lot.starts_at : Number.POSITIVE_INFINITY;
  if (now > due + LATE_MS && now > lastCheck + LATE_MS) {
    lastCheck = now;
    reload();
  }
  const call =
    lot.status === "OPEN" ? CALLS_MS.findLast((limit) => lot.ends_at - now <= limit && lot.ends_at > now) : undefined;
  if (call !== undefined && call < announced) {
    announced = call;
    announce(`${text} left`);
  }
}

/** @param {string} text */
function announce(text) {
  setText(byId("announcer"), text);
}

start();
