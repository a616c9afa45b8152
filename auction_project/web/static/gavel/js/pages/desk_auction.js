// One auction as its seller or an operator manages it: its state, open and cancel, and the public record as it is written.

import { get, me, post } from "../api.js";
import { longDate, shortDate } from "../dates.js";
import { byId, control, h, note, readJson, setText } from "../dom.js";
import { formatOf, rulesOf, termsOf } from "../formats.js";
import { clearFieldErrors, showFieldError, showMissing, showProblem } from "../lists.js";
import { after, isBidEvent } from "../lots.js";
import { draw } from "../plot.js";
import { AuctionRecord, fromFrame } from "../record.js";
import { loadRecord, showRecord } from "../record_list.js";
import { sentence } from "../standing.js";
import { nameOf, stateOf } from "../states.js";
import { stream } from "../stream.js";

/** @import {Frame, Lot, RuleFigures} from "../bodies.d.ts" */
/** @import {View} from "../record_list.js" */

const AGAIN_MS = 2_500;

const article = byId("lot");
const id = article.dataset.auction ?? "";
const path = `/api/v1/auctions/${id}`;
/** @type {RuleFigures} */
const figures = readJson("rules");
const dialog = byId("cancel-dialog", HTMLDialogElement);
const form = byId("cancel-form", HTMLFormElement);
/** Set by load(), before anything is shown or received. @type {Lot} */
let lot;
/** @type {AuctionRecord} */
let record;
let isShown = false;

async function load() {
  /** @type {Lot} */
  const loaded = await get(path, { auth: false });
  record ??= new AuctionRecord(loaded.currency);
  await loadRecord(record, id, loaded.seq);
  stream.knows(id, loaded.seq);
  show(loaded);
}

async function reload() {
  try {
    await load();
  } catch {
    setTimeout(reload, AGAIN_MS);
  }
}

async function start() {
  try {
    await load();
  } catch (error) {
    showProblem(byId("problem"), error, { retry: start });
    return;
  }
  showProblem(byId("problem"), null);
  stream.watch(id, lot.seq, { onFrame, onLost: reload });
}

/** @param {Frame} frame */
function onFrame(frame) {
  record.add(fromFrame(frame, lot.currency));
  const next = after(lot, frame);
  if (next) show(next);
  else showLog();
  if (!isBidEvent(frame) || !formatOf(lot).isContest) reload();
}

/** @param {Lot} next */
function show(next) {
  if (isShown && next.seq < lot.seq) return;
  lot = next;
  isShown = true;
  article.hidden = false;
  article.removeAttribute("aria-busy");
  const [word, mood] = stateOf(lot);
  setText(byId("title"), nameOf(lot));
  document.title = `${nameOf(lot)} · Gavel`;
  setText(byId("status"), word);
  byId("status").className = `chip ${mood}`;
  byId("open").hidden = !(isMine() && lot.status === "SCHEDULED");
  byId("cancel").hidden = !(canCancel() && ["REQUESTED", "SCHEDULED", "OPEN", "SOLD_OUT"].includes(lot.status));
  showState();
  const price = formatOf(lot).price(lot);
  /** @type {[name: string, value: HTMLElement | string][]} */
  const lines = [
    ["Price", `${price.amount} (${price.label.toLowerCase()})`],
    ["Interest", formatOf(lot).interest(lot)],
    ["Leader", lot.leader || "None yet"],
    ["Reserve", lot.has_reserve ? (lot.reserve_met ? "Met" : "Not met") : "None"],
    ["Opens", shortDate(lot.starts_at)],
    ["Ends", shortDate(lot.ends_at)],
    ["Sales", `${lot.sold ?? 0} sold, ${lot.undecided_sales ?? 0} in progress`],
    ["Entries", String(Math.max(lot.seq, record.last))],
    ["Auction", h("code", {}, lot.id)],
  ];
  byId("figures").replaceChildren(...lines.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
  byId("rules-text").replaceChildren(...rulesOf(termsOf(lot), figures).map((line) => h("li", {}, line)));
  showLog();
}

const isMine = () => me.has("operator") || lot.seller_id === me.id || !lot.seller_id;

/** A lot with bids is for operators alone to cancel. */
const canCancel = () => me.has("operator") || (isMine() && !lot.bids);

function showState() {
  const container = byId("state");
  const content = stateNote();
  if (container.textContent !== (content?.textContent ?? "")) container.replaceChildren(...(content ? [content] : []));
}

function stateNote() {
  switch (lot.status) {
    case "REQUESTED":
      return note(
        "warn",
        "Waiting for stock",
        "The auction is listed as soon as stock is reserved. This page updates automatically.",
      );
    case "SCHEDULED":
      return note("", `Opens by itself on ${longDate(lot.starts_at)}`, isMine() ? "“Open now” opens it earlier." : "");
    case "OPEN":
      return note(
        "good",
        `Open until ${shortDate(lot.ends_at)}`,
        lot.bids && !me.has("operator") ? "This auction has bids; only an operator can cancel it." : "",
      );
    default: {
      const words = sentence(lot, null);
      return words && note(words.mood, words.title, words.text);
    }
  }
}

function showLog() {
  /** @type {View} */
  const view = { alias: null, format: lot.format, currency: lot.currency, hashes: true };
  showRecord(byId("log"), record, view);
  if (formatOf(lot).isContest) draw(byId("plot"), record.bids, view);
}

byId("open").addEventListener("click", async () => {
  try {
    show(await post(`${path}/open`));
    showProblem(byId("problem"), null);
  } catch (error) {
    showProblem(byId("problem"), error);
  }
});

byId("cancel").addEventListener("click", () => {
  clearFieldErrors(form);
  dialog.showModal();
});
byId("cancel-back").addEventListener("click", () => dialog.close());
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (showMissing(form)) return;
  try {
    show(await post(`${path}/cancel`, { reason: control(form, "reason", HTMLTextAreaElement).value.trim() }));
    showProblem(byId("problem"), null);
    dialog.close();
  } catch (error) {
    if (showFieldError(form, error)) return;
    dialog.close();
    showProblem(byId("problem"), error);
  }
});

start();
