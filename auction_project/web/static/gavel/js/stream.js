// The page's one WebSocket: my notifications and the auctions that the page watches. It connects again by itself and
// asks for what it missed; whoever listens hears of each thing once, or that he must load it anew.
//
// Events: "state" {state: "connecting" | "live" | "waiting", retryMs}, "notification" {…}, "reload" (notifications).

import { me, post } from "./api.js";

const BACKOFF_MS = [400, 1_000, 2_000, 4_000, 8_000, 15_000];
const PING_MS = 20_000;
const PONG_MS = 8_000;
const UNKNOWN_MS = 5_000;
const OVERFLOW = 4408;
const SESSION_ENDED = 4410;
const ACCOUNT_CLOSED = 4411;

/** Whether the cursor "<epoch>:<seq>" leads beyond `known`, or into another numbering. */
function isBeyond(cursor, known = ":0") {
  const [[epoch, seq], [knownEpoch, knownSeq]] = [cursor.split(":"), known.split(":")];
  return epoch !== knownEpoch || Number(seq) > Number(knownSeq);
}

class Stream extends EventTarget {
  #socket = null;
  #attempt = 0;
  #retry = 0;
  #ping = 0;
  #pong = 0;
  #watched = new Map();
  #cursor = undefined;
  #wanted = false;
  #signedOut = false;
  state = "connecting";

  /** Connect, and stay connected. */
  start() {
    if (this.#wanted) return;
    this.#wanted = true;
    this.#connect();
    addEventListener("online", () => this.#connect());
    addEventListener("offline", () => this.#socket?.close());
    addEventListener("pagehide", () => {
      this.#wanted = false;
      this.#socket?.close();
    });
    addEventListener("pageshow", (event) => {
      if (!event.persisted) return;
      this.#wanted = true;
      this.#connect();
    });
  }

  /** Hear of my notifications after `cursor`, once each; whoever loads them by REST says so here. */
  resume(cursor) {
    this.#cursor = cursor;
    this.#say({ type: "resume", cursor });
    this.start();
  }

  /** Hear of an auction after seq `after`: `onFrame(frame)` once each, in order; `onLost(seq)`: load it by REST. */
  watch(auctionId, after, { onFrame, onLost }) {
    this.#watched.set(auctionId, { after, onFrame, onLost });
    this.#say({ type: "watch", auction_id: auctionId, after });
    this.start();
  }

  /** A body with this seq was loaded by REST: older frames are no news. */
  knows(auctionId, seq) {
    const watched = this.#watched.get(auctionId);
    if (watched && seq > watched.after) watched.after = seq;
  }

  unwatch(auctionId) {
    if (this.#watched.delete(auctionId)) this.#say({ type: "unwatch", auction_id: auctionId });
  }

  #say(message) {
    if (this.state === "live" && this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  async #connect() {
    clearTimeout(this.#retry);
    if (!this.#wanted || this.#socket) return;
    this.#become("connecting");
    const address = new URL("/ws/v1/stream", location.href);
    address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    const placeholder = {};
    this.#socket = { close() {}, readyState: 0, placeholder };
    try {
      if (me.id && !this.#signedOut) address.searchParams.set("ticket", (await post("/api/v1/notifications/ticket")).ticket);
    } catch {
      this.#ended(0);
      return;
    }
    const socket = new WebSocket(address);
    this.#socket = socket;
    socket.addEventListener("message", (event) => {
      if (socket === this.#socket) this.#receive(JSON.parse(event.data));
    });
    socket.addEventListener("close", (event) => {
      if (socket === this.#socket) this.#ended(event.code);
    });
  }

  #ended(code) {
    clearInterval(this.#ping);
    clearTimeout(this.#pong);
    this.#socket = null;
    if (!this.#wanted) return;
    if (code === SESSION_ENDED || code === ACCOUNT_CLOSED) this.#signedOut = true;
    const step = BACKOFF_MS[Math.min(this.#attempt, BACKOFF_MS.length - 1)];
    const retryMs = code === OVERFLOW ? 0 : Math.round(step * (0.75 + Math.random() / 2));
    this.#attempt += 1;
    this.#become("waiting", retryMs);
    this.#retry = setTimeout(() => this.#connect(), retryMs);
  }

  #become(state, retryMs = 0) {
    this.state = state;
    this.dispatchEvent(new CustomEvent("state", { detail: { state, retryMs, attempt: this.#attempt } }));
  }

  #receive(message) {
    clearTimeout(this.#pong);
    switch (message.type) {
      case "ready":
        this.#attempt = 0;
        this.#become("live");
        this.#beat();
        if (me.id && !this.#signedOut && this.#cursor !== undefined) this.#say({ type: "resume", cursor: this.#cursor });
        for (const [id, { after }] of this.#watched) this.#say({ type: "watch", auction_id: id, after });
        break;
      case "notification":
        if (!isBeyond(message.cursor, this.#cursor)) break;
        this.#cursor = message.cursor;
        this.dispatchEvent(new CustomEvent("notification", { detail: message }));
        break;
      case "resumed":
        this.#cursor = message.cursor;
        break;
      case "auction":
        this.#hear(message);
        break;
      case "snapshot_required":
        this.#lost(message);
        break;
      case "error":
        // A new auction may reach the stream a moment after the page: ask again while the page wants it.
        if (message.auction_id) setTimeout(() => this.#watchAgain(message.auction_id), UNKNOWN_MS);
        break;
      default:
    }
  }

  #hear(frame) {
    const watched = this.#watched.get(frame.auction_id);
    if (!watched || frame.seq <= watched.after) return;
    watched.after = frame.seq;
    watched.onFrame(frame);
  }

  #lost({ scope, auction_id: id, cursor, seq }) {
    if (scope === "auction") {
      this.#watched.get(id)?.onLost(seq);
    } else {
      this.#cursor = cursor;
      this.dispatchEvent(new CustomEvent("reload"));
    }
  }

  #watchAgain(id) {
    const watched = this.#watched.get(id);
    if (watched) this.#say({ type: "watch", auction_id: id, after: watched.after });
  }

  #beat() {
    clearInterval(this.#ping);
    this.#ping = setInterval(() => {
      this.#say({ type: "ping" });
      clearTimeout(this.#pong);
      const socket = this.#socket;
      this.#pong = setTimeout(() => {
        if (socket === this.#socket) socket?.close();
        if (socket === this.#socket) this.#ended(0);
      }, PONG_MS);
    }, PING_MS);
  }
}

export const stream = new Stream();
