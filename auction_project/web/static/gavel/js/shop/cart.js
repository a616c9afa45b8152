// The reader's cart: on the server for who is signed in, in the browser's storage for a visitor, from where it is taken over
// at sign-in. `cart` says `change` with the number of its units and those of won lots, and `elsewhere` when another tab has
// changed it.

import { get, me, newKey, request } from "../api.js";
import { isNotFound, isUnavailable } from "../errors.js";
import { asCart, countUnits, MAX_LINES, readLines, withLine } from "./visitor_cart.js";

/** @import {Cart, CartLine, Offer} from "../bodies.d.ts" */
/** @import {Line} from "./visitor_cart.js" */
/** @typedef {Pick<Offer, "product_id" | "slug" | "title" | "thumbnail" | "price" | "currency" | "max_per_order">} Article */

const LINES = "gavel.cart.lines"; // of a visitor
const KEY = "gavel.cart.key"; // under which these lines are taken over, once
const COUNT = "gavel.cart.count"; // what the tabs of a reader share
const AT_ONCE = 6; // requests for offers

/** The cart holds as many products as it can. */
export class CartFull extends Error {
  constructor() {
    super(`A cart holds ${MAX_LINES} different products. Order these first, or remove one.`);
  }
}

/** A visitor's cart has one currency, as every order has. */
export class OneCurrency extends Error {
  constructor() {
    super("One order has one currency. Order what is in your cart first.");
  }
}

/** @param {Pick<CartLine, "product_id">} line */
const pathOf = ({ product_id }) => `/api/v1/cart/lines/${encodeURIComponent(product_id)}`;

class ReaderCart extends EventTarget {
  /** @param {"change" | "elsewhere"} type @param {(event: CustomEvent<number>) => void} listener */
  on(type, listener) {
    this.addEventListener(type, /** @type {EventListener} */ (listener));
  }

  constructor() {
    super();
    addEventListener("storage", ({ key, newValue }) => {
      if (key !== COUNT || !newValue) return;
      this.#announce("change", countOf(newValue) ?? 0);
      this.#announce("elsewhere", countOf(newValue) ?? 0);
    });
  }

  /** The count that is known without a request; null when it is not. */
  get knownCount() {
    return me.id ? countOf(recall(COUNT)) : countUnits(readLines(recall(LINES)));
  }

  /** @returns {Promise<Cart>} */
  async load() {
    const loaded = me.id ? await get("/api/v1/cart") : await loadVisitors(readLines(recall(LINES)));
    this.#count(loaded);
    return loaded;
  }

  /**
   * Put `quantity` units more in, as far as one order may have them. Returns the quantity that is in the cart now.
   * @param {Article} article
   * @param {number} quantity
   */
  async add(article, quantity) {
    /** @type {{product_id: string, quantity: number}[]} */
    const lines = me.id ? (await get("/api/v1/cart")).lines : readLines(recall(LINES));
    const present = lines.find(({ product_id }) => product_id === article.product_id);
    const wanted = Math.min((present?.quantity ?? 0) + quantity, article.max_per_order);
    await this.set(article, wanted);
    return wanted;
  }

  /**
   * Have `quantity` units of the product at the price of the article, which the reader has seen.
   * @param {Article} article
   * @param {number} quantity
   */
  async set(article, quantity) {
    const { product_id, price, currency } = article;
    if (me.id) {
      this.#count(await request("PUT", pathOf(article), { body: { quantity, price, currency } }));
      return;
    }
    const { slug, title, thumbnail } = article;
    const lines = readLines(recall(LINES));
    if (lines.some((line) => line.currency !== currency)) throw new OneCurrency();
    const changed = withLine(lines, { product_id, slug, title, thumbnail, quantity, price, currency });
    if (changed === lines) throw new CartFull();
    keepVisitors(changed);
    this.#count({ lines: changed });
  }

  /** @param {Pick<CartLine, "product_id">} line */
  async remove(line) {
    if (me.id) {
      this.#count(await request("DELETE", pathOf(line)));
      return;
    }
    const rest = readLines(recall(LINES)).filter(({ product_id }) => product_id !== line.product_id);
    keepVisitors(rest);
    this.#count({ lines: rest });
  }

  /**
   * Give the server what the reader put in before they signed in. One tab does it at a time, under one key; without an answer the
   * next page does it. Whether there was anything.
   */
  async takeOver() {
    if (!me.id || recall(LINES) === null) return false;
    return navigator.locks ? navigator.locks.request(LINES, sendVisitors) : sendVisitors();
  }

  /** Won lots count, too. @param {{lines: {quantity: number}[], awards?: {id: string, quantity: number}[]}} loaded */
  #count({ lines, awards = [] }) {
    const count = countUnits(lines) + countUnits(awards);
    const parts = { lines: lines.map(({ quantity }) => quantity), awards: awards.map(({ id }) => id) };
    const text = JSON.stringify({ user: me.id, count, ...parts });
    if (text !== recall(COUNT)) keep(COUNT, text); // other tabs hear of it
    this.#announce("change", count);
  }

  /** @param {"change" | "elsewhere"} type @param {number} count */
  #announce(type, count) {
    this.dispatchEvent(new CustomEvent(type, { detail: count }));
  }
}

/** @returns {Promise<boolean>} */
async function sendVisitors() {
  const lines = readLines(recall(LINES));
  if (lines.length) {
    const body = {
      lines: lines.map(({ product_id, quantity, price }) => ({ product_id, quantity, price })),
      currency: lines[0]?.currency,
    };
    try {
      await request("POST", "/api/v1/cart/takeover", { body, key: recall(KEY) ?? newKey() });
    } catch (error) {
      if (isUnavailable(error) || isNotFound(error)) throw error;
    }
  }
  keep(LINES, null);
  keep(KEY, null);
  return lines.length > 0;
}

/** @param {Line[]} lines @returns {Promise<Cart>} */
async function loadVisitors(lines) {
  /** @type {Map<string, Offer | "none" | null>} */
  const offers = new Map();
  for (let first = 0; first < lines.length; first += AT_ONCE) {
    await Promise.all(
      lines.slice(first, first + AT_ONCE).map(async ({ product_id, slug }) => {
        try {
          offers.set(product_id, await get(`/api/v1/offers/${encodeURIComponent(slug)}`, { auth: false }));
        } catch (error) {
          offers.set(product_id, isNotFound(error) ? "none" : null);
        }
      }),
    );
  }
  return asCart(lines, offers);
}

/** @param {Line[]} lines */
function keepVisitors(lines) {
  keep(LINES, lines.length ? JSON.stringify(lines) : null);
  keep(KEY, lines.length ? newKey() : null);
}

/** The count that the tabs share, when it is this reader's. @param {string | null} text @returns {number | null} */
function countOf(text) {
  try {
    const stored = JSON.parse(text ?? "null");
    return stored?.user === me.id ? stored.count : null;
  } catch {
    return null;
  }
}

/** @param {string} name */
function recall(name) {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

/** @param {string} name @param {string | null} text */
function keep(name, text) {
  try {
    if (text === null) localStorage.removeItem(name);
    else localStorage.setItem(name, text);
  } catch {
    // without storage a visitor has no cart, and tabs count for themselves
  }
}

export const cart = new ReaderCart();
