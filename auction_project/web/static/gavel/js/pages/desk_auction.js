// One auction from the desk: its state, open and cancel, and the public record as it is written.

import { get, me, post } from "../api.js";
import { byId, h, note, readJson, setText } from "../dom.js";
import { instant, longDate } from "../format.js";
import { formatOf } from "../formats.js";
import { showFieldError, showProblem } from "../lists.js";
import { after } from "../lots.js";
import { draw } from "../plot.js";
import { fromFrame, Record, showRecord } from "../record.js";
import { sentence } from "../standing.js";
import { stream } from "../stream.js";
import { rulesOf, stateOf } from "../words.js";

const AGAIN_MS = 2_500;

const article = byId("lot");
const id = article.dataset.auction;
const path = `/api/v1/auctions/${id}`;
const figures = readJson("rules");
const dialog = byId("cancel-dialog");
const form = byId("cancel-form");
let lot = null;
let record = null;

async function load() {
  const loaded = await get(path, { auth: false });
  record ??= new Record(id, loaded.currency);
  await record.load(loaded.seq);
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

function onFrame(frame) {
  record.add(fromFrame(frame, lot.currency));
  const next = after(lot, frame);
  if (next) show(next);
  else showLog();
  if (!["BidPlaced", "MaximumChanged"].includes(frame.event) || !formatOf(lot).isContest) reload();
}

function show(next) {
  if (lot && next.seq < lot.seq) return;
  lot = next;
  article.hidden = false;
  article.removeAttribute("aria-busy");
  const [word, mood] = stateOf(lot);
  setText(byId("title"), lot.title || "Waiting for stock");
  document.title = `${lot.title || "Auction"} · Gavel`;
  setText(byId("status"), word);
  byId("status").className = `chip ${mood}`;
  const isMine = me.has("operator") || [lot.seller_id].includes(me.id) || !lot.seller_id;
  byId("open").hidden = !(isMine && lot.status === "SCHEDULED");
  byId("cancel").hidden = !(isMine && ["REQUESTED", "SCHEDULED", "OPEN", "SOLD_OUT"].includes(lot.status));
  tellState();
  const price = formatOf(lot).price(lot);
  const lines = [
    ["Price", `${price.amount} (${price.label.toLowerCase()})`],
    ["Interest", formatOf(lot).interest(lot)],
    ["Leader", lot.leader || "None yet"],
    ["Reserve", lot.has_reserve ? (lot.reserve_met ? "Met" : "Not met") : "None"],
    ["Opens", instant(lot.starts_at)],
    ["Ends", instant(lot.ends_at)],
    ["Sales", `${lot.sold ?? 0} sold, ${lot.undecided_sales ?? 0} in progress`],
    ["Entries", String(Math.max(lot.seq, record.last))],
    ["Auction", h("code", {}, lot.id)],
  ];
  byId("figures").replaceChildren(...lines.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
  const terms = { ...lot.terms, format: lot.format, currency: lot.currency, has_reserve: lot.has_reserve, quantity: lot.quantity, starts_at: lot.starts_at, ends_at: lot.ends_at };
  byId("rules-text").replaceChildren(...rulesOf(terms, figures).map((line) => h("li", {}, line)));
  showLog();
}

function tellState() {
  const tell = {
    REQUESTED: () => note("warn", "Waiting for stock", "The auction is listed as soon as stock is reserved. This page updates automatically."),
    SCHEDULED: () => note("", `It opens on ${longDate(lot.starts_at)}`, "You can open it now."),
    OPEN: () => note("good", `Open until ${instant(lot.ends_at)}`, lot.bids && !me.has("operator") ? "This auction has bids; only an operator can cancel it." : ""),
  }[lot.status] ?? (() => ofOutcome(sentence(lot, null)));
  const told = tell();
  const place = byId("state");
  if (place.textContent !== (told?.textContent ?? "")) place.replaceChildren(...(told ? [told] : []));
}

const ofOutcome = (told) => told && note(told.mood, told.title, told.text);

function showLog() {
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
  showFieldError(form, null);
  dialog.showModal();
});
byId("cancel-back").addEventListener("click", () => dialog.close());
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    show(await post(`${path}/cancel`, { reason: form.elements.reason.value.trim() }));
    showProblem(byId("problem"), null);
    dialog.close();
  } catch (error) {
    if (showFieldError(form, error)) return;
    dialog.close();
    showProblem(byId("problem"), error);
  }
});

start();
