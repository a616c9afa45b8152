// The page's one WebSocket: my notifications, and the auctions that the page watches. It reconnects by itself, also when the
// server refuses the handshake, and asks for what was missed. A listener gets each thing once, or learns that it must load it anew.
//
// Events: "state", "notification", "reload" (some notifications were missed: load them by REST), "desk" (the figures of the
// owner's desk may have changed; whether further changes are announced).

import { me, post } from "./api.js";
import { pauseMs } from "./backoff.js";

/** @import {Frame, Message, Notification} from "./bodies.d.ts" */
/** @typedef {"connecting" | "live" | "waiting"} State */
/** `attempt` counts the failures since it was live. @typedef {{state: State, attempt: number}} StateChange */
/** @typedef {{state: StateChange, notification: Notification, reload: null, desk: boolean}} Events */
/** @typedef {{after: number, onFrame: (frame: Frame) => void, onLost: () => void}} Watch */

const PING_MS = 20_000;
const PONG_MS = 8_000;
const UNKNOWN_MS = 5_000;
const OVERFLOW = 4408;
const SESSION_ENDED = 4410;
const ACCOUNT_CLOSED = 4411;

/**
 * Whether the cursor "<epoch>:<seq>" leads beyond `known`, or into another numbering.
 * @param {string} cursor
 * @param {string | undefined} known
 */
function isBeyond(cursor, known = ":0") {
  const [[epoch, seq], [knownEpoch, knownSeq]] = [cursor.split(":"), known.split(":")];
  return epoch !== knownEpoch || Number(seq) > Number(knownSeq);
}

class Stream {
  #target = new EventTarget();
  /** Null while nothing is open or being opened. @type {WebSocket | "opening" | null} */
  #socket = null;
  #attempt = 0;
  #retryTimer = 0;
  #pingTimer = 0;
  #pongTimer = 0;
  #isStarted = false;
  #isSignedOut = false;
  /** @type {State} */
  #state = "connecting";
  /** @type {Map<string, Watch>} */
  #watched = new Map();
  /** Of the last notification; undefined until the page knows one. @type {string | undefined} */
  #cursor = undefined;
  /** Of the owner's desk; "" while the page does not watch it. */
  #deskPass = "";

  /**
   * @template {keyof Events} K
   * @param {K} type
   * @param {(event: CustomEvent<Events[K]>) => void} listener
   */
  addEventListener(type, listener) {
    this.#target.addEventListener(type, /** @type {EventListener} */ (listener));
  }

  /**
   * @template {keyof Events} K
   * @param {K} type
   * @param {Events[K]} detail
   */
  #emit(type, detail) {
    this.#target.dispatchEvent(new CustomEvent(type, { detail }));
  }

  /** Connect, and stay connected. */
  start() {
    if (this.#isStarted) return;
    this.#isStarted = true;
    this.#connect();
    addEventListener("online", () => this.#connect());
    addEventListener("offline", () => this.#close());
    addEventListener("pagehide", () => {
      this.#isStarted = false;
      this.#close();
    });
    addEventListener("pageshow", (event) => {
      if (!event.persisted) return;
      this.#isStarted = true;
      this.#connect();
    });
  }

  /** Get my notifications after `cursor`, which is that of the last one loaded by REST. @param {string} cursor */
  resume(cursor) {
    this.#cursor = cursor;
    this.#send({ type: "resume", cursor });
    this.start();
  }

  /**
   * Get the frames of an auction after seq `after`: `onFrame` once for each, in order; after `onLost` the page loads it by REST.
   * @param {string} auctionId
   * @param {number} after
   * @param {Pick<Watch, "onFrame" | "onLost">} listeners
   */
  watch(auctionId, after, { onFrame, onLost }) {
    this.#watched.set(auctionId, { after, onFrame, onLost });
    this.#send({ type: "watch", auction_id: auctionId, after });
    this.start();
  }

  /**
   * A body with this seq was loaded by REST: older frames are out of date.
   * @param {string} auctionId
   * @param {number} seq
   */
  knows(auctionId, seq) {
    const watched = this.#watched.get(auctionId);
    if (watched && seq > watched.after) watched.after = seq;
  }

  /** @param {string} auctionId */
  unwatch(auctionId) {
    if (this.#watched.delete(auctionId)) this.#send({ type: "unwatch", auction_id: auctionId });
  }

  /** Hear of changes of the owner's desk. A pass ends after five minutes: call it again with a newer one. @param {string} pass */
  watchDesk(pass) {
    this.#deskPass = pass;
    this.#send({ type: "watch_desk", desk_pass: pass });
    this.start();
  }

  /** Send when the stream is live; what is due is sent again when it becomes live. @param {object} message */
  #send(message) {
    const socket = this.#socket;
    if (this.#state === "live" && socket instanceof WebSocket && socket.readyState === WebSocket.OPEN)
      socket.send(JSON.stringify(message));
  }

  #close() {
    if (this.#socket instanceof WebSocket) this.#socket.close();
  }

  async #connect() {
    clearTimeout(this.#retryTimer);
    if (!this.#isStarted || this.#socket) return;
    this.#become("connecting");
    const address = new URL("/ws/v1/stream", location.href);
    address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    this.#socket = "opening";
    try {
      if (me.id && !this.#isSignedOut)
        address.searchParams.set("ticket", (await post("/api/v1/notifications/ticket")).ticket);
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

  /** @param {number} code */
  #ended(code) {
    clearInterval(this.#pingTimer);
    clearTimeout(this.#pongTimer);
    this.#socket = null;
    if (!this.#isStarted) return;
    if (code === SESSION_ENDED || code === ACCOUNT_CLOSED) this.#isSignedOut = true;
    const retryMs = code === OVERFLOW ? 0 : pauseMs(this.#attempt);
    this.#attempt += 1;
    this.#become("waiting");
    this.#retryTimer = setTimeout(() => this.#connect(), retryMs);
  }

  /** @param {State} state */
  #become(state) {
    this.#state = state;
    this.#emit("state", { state, attempt: this.#attempt });
  }

  /** @param {Message} message */
  #receive(message) {
    clearTimeout(this.#pongTimer);
    switch (message.type) {
      case "ready":
        this.#attempt = 0;
        this.#become("live");
        this.#keepAlive();
        if (me.id && !this.#isSignedOut && this.#cursor !== undefined)
          this.#send({ type: "resume", cursor: this.#cursor });
        for (const [id, { after }] of this.#watched) this.#send({ type: "watch", auction_id: id, after });
        if (this.#deskPass) this.#send({ type: "watch_desk", desk_pass: this.#deskPass });
        break;
      case "notification":
        if (!isBeyond(message.cursor, this.#cursor)) break;
        this.#cursor = message.cursor;
        this.#emit("notification", message);
        break;
      case "resumed":
        this.#cursor = message.cursor;
        break;
      case "auction":
        this.#receiveFrame(message);
        break;
      case "desk":
        this.#emit("desk", message.live);
        break;
      case "snapshot_required":
        this.#lost(message);
        break;
      case "error": {
        // A new auction may reach the stream a moment after the page: ask again while the page watches it.
        const { auction_id: id } = message;
        if (id) setTimeout(() => this.#watchAgain(id), UNKNOWN_MS);
        break;
      }
      default:
    }
  }

  /** @param {Frame} frame */
  #receiveFrame(frame) {
    const watched = this.#watched.get(frame.auction_id);
    if (!watched || frame.seq <= watched.after) return;
    watched.after = frame.seq;
    watched.onFrame(frame);
  }

  /** @param {Extract<Message, {type: "snapshot_required"}>} message */
  #lost(message) {
    if (message.scope === "auction") {
      this.#watched.get(message.auction_id)?.onLost();
    } else {
      this.#cursor = message.cursor;
      this.#emit("reload", null);
    }
  }

  /** @param {string} id */
  #watchAgain(id) {
    const watched = this.#watched.get(id);
    if (watched) this.#send({ type: "watch", auction_id: id, after: watched.after });
  }

  #keepAlive() {
    clearInterval(this.#pingTimer);
    this.#pingTimer = setInterval(() => {
      this.#send({ type: "ping" });
      clearTimeout(this.#pongTimer);
      const socket = this.#socket;
      this.#pongTimer = setTimeout(() => {
        if (socket !== this.#socket) return;
        this.#close();
        this.#ended(0);
      }, PONG_MS);
    }, PING_MS);
  }
}

export const stream = new Stream();
