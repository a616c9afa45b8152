// The live page of one lot: figures, countdown, record, and the one sentence of standing.js. The form is in bid_form.js.

import { get, me, Problem } from "../api.js";
import { BidForm } from "../bid_form.js";
import * as clock from "../clock.js";
import { byId, flash, h, note, readJson, setText } from "../dom.js";
import { fromMinor, instant, money, plural } from "../format.js";
import { formatOf } from "../formats.js";
import { showProblem } from "../lists.js";
import { after, timing } from "../lots.js";
import { draw } from "../plot.js";
import { fromFrame, Record, showRecord } from "../record.js";
import { sentence } from "../standing.js";
import { stream } from "../stream.js";
import { rulesOf, stateOf } from "../words.js";

const CALLS_MS = [300_000, 60_000, 10_000]; // announced when that much time is left
const LATE_MS = 2_500; // after the end, when no frame has said so

const article = byId("lot");
const id = article.dataset.auction;
const figures = readJson("rules");
const path = `/api/v1/auctions/${id}`;

let lot = null;
let record = null;
let standing = { standing: "none", alias: null, maximum: null };
let receipt = null; // of the last bid from this page
let announced = Infinity;
let checking = 0;

const form = new BidForm(id, {
  onAnswer(answer) {
    receipt = answer;
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

/** The maximum that the receipt holds (in minor units); a purchase has none. */
function ownMaximum({ receipt: proof }) {
  const maximum = proof?.opening?.maximum;
  return maximum ? fromMinor(maximum, lot.currency) : null;
}

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
    showOwn();
  } catch {
    // the next frame asks again
  }
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
    if (error instanceof Problem && error.status === 404) document.title = "No such lot · Gavel";
    showProblem(byId("problem"), error, { retry: error instanceof Problem && error.status === 404 ? null : start });
    return;
  }
  showProblem(byId("problem"), null);
  stream.watch(id, lot.seq, { onFrame, onLost: () => reload() });
  clock.onTick(tick);
  form.recover();
}

let loading = null;
let isOutdated = false;

/** Load once; what is asked while that runs is answered by one more load after it. */
function reload() {
  isOutdated = loading !== null;
  loading ??= load()
    .catch(() => setTimeout(reload, LATE_MS))
    .finally(() => {
      loading = null;
      if (isOutdated) reload();
    });
  return loading;
}

function onFrame(frame) {
  record.add(fromFrame(frame, lot.currency));
  const next = after(lot, frame);
  if (next) show(next);
  else showHistory();
  const isBid = ["BidPlaced", "MaximumChanged"].includes(frame.event);
  if (!isBid || !formatOf(lot).isContest) reload();
  else {
    followLeader();
    showOwn();
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
  showOwn();
}

/** What depends on the reader: the leader's name, the record's "you", the sentence and the form. */
function showOwn() {
  showMeta();
  showHistory();
  showStanding();
  form.show(lot, standing, { isOwn: me.id !== "" && lot.seller_id === me.id });
}

function showLot() {
  const name = lot.title || "Waiting for stock";
  document.title = `${name} · Gavel`;
  setText(byId("title"), name);
  setText(byId("text"), lot.text || "No description.");
  setText(byId("kind"), formatOf(lot).label);
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
  const { amount } = formatOf(lot).price(lot);
  setText(byId("price-label"), formatOf(lot).priceLabel(lot));
  if (setText(byId("price"), amount) && before) {
    flash(byId("price"));
    announce(`Price ${amount}`);
  }
  if (before && lot.ends_at > before.ends_at) {
    flash(byId("countdown"));
    announce(`Extended: the auction now ends at ${instant(lot.ends_at)}`);
    announced = Infinity;
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
    isContest && h("li", {}, h("strong", {}, plural(lot.bids, "bid")), bidders ? ` by ${plural(bidders, "bidder")}` : ""),
    isContest && lot.leader && h("li", {}, leads, h("strong", {}, lot.leader), isYou && " (you)"),
    isContest && lot.status === "OPEN" && !isYou && h("li", {}, "Next bid at least ", h("strong", { id: "minimum" }, money(lot.minimum, lot.currency))),
    isContest && lot.has_reserve && h("li", {}, lot.reserve_met ? "Reserve met" : "Reserve not met"),
    !isContest && h("li", {}, h("strong", {}, String(lot.quantity_left)), ` of ${lot.quantity} left`),
  ];
  byId("meta").replaceChildren(...items.filter(Boolean));
}

function showHistory() {
  const view = { alias: standing.alias, format: lot.format, currency: lot.currency };
  showRecord(byId("log"), record, view);
  if (formatOf(lot).isContest) draw(byId("plot"), record.bids, view);
}

function showStanding() {
  const place = byId("standing");
  const told = tellStanding();
  const text = told ? told.textContent : "";
  if (place.textContent !== text) place.replaceChildren(...(told ? [told] : []));
}

function tellStanding() {
  const told = sentence(lot, standing);
  const proof = receipt && h("p", { class: "small muted", id: "receipt" }, `Receipt: entry ${receipt.seq}, `, h("code", {}, `${receipt.hash.slice(0, 16)}…`));
  if (!told) return proof;
  const link = told.orders && h("p", {}, h("a", { href: "/orders" }, told.orders));
  return note(told.mood, told.title, ...[told.text, link, proof].filter(Boolean));
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
