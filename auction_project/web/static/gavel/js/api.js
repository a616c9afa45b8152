// REST: the reader, the token of the page's session, and requests. A request throws Problem (the server refused it) or
// Offline (no answer came). Bodies are as bodies.d.ts types them: the server's contract is trusted, not checked again.

import { Offline, Problem } from "./errors.js";

const TOKEN = "gavel.token";
const RENEW_EARLY_MS = 30_000;
const TIMEOUT_MS = 15_000;

/** @typedef {{sub: string, access: string, until: number}} Token `until`: when it ends. */
/** @typedef {{body?: unknown, key?: string, auth?: boolean, timeoutMs?: number}} Options `key`: an Idempotency-Key. */

const data = document.body.dataset;
const roles = (data.roles ?? "").split(" ").filter(Boolean);

/** The reader; `id` is "" when they are not signed in. */
export const me = {
  id: data.user ?? "",
  /** @param {string} role */
  has: (role) => roles.includes(role),
};

let token = readToken();
/** @type {Promise<void> | null} */
let renewal = null;

/** @returns {Token | null} */
function readToken() {
  try {
    const stored = JSON.parse(sessionStorage.getItem(TOKEN) ?? "null");
    return stored?.sub === me.id ? stored : null;
  } catch {
    return null;
  }
}

/** @param {Token | null} fresh */
function storeToken(fresh) {
  token = fresh;
  try {
    if (fresh) sessionStorage.setItem(TOKEN, JSON.stringify(fresh));
    else sessionStorage.removeItem(TOKEN);
  } catch {
    // without storage each page fetches its own token
  }
}

export function forgetToken() {
  storeToken(null);
}

async function renew() {
  const csrf = document.querySelector('meta[name="csrf-token"]')?.getAttribute("content") ?? "";
  const { body } = await send("POST", "/api/v1/token", { headers: { "X-CSRFToken": csrf }, body: {} });
  storeToken({ sub: me.id, access: body.access, until: Date.now() + body.expires_in * 1000 });
}

async function access() {
  if (!token || Date.now() > token.until - RENEW_EARLY_MS) {
    renewal ??= renew().finally(() => {
      renewal = null;
    });
    await renewal;
  }
  return token?.access;
}

/**
 * @param {string} method
 * @param {string} path
 * @param {{body?: unknown, headers?: {[name: string]: string}, timeoutMs?: number}} options
 * @returns {Promise<{status: number, body: any}>}
 */
async function send(method, path, { body, headers = {}, timeoutMs = TIMEOUT_MS }) {
  const isForm = body instanceof FormData;
  /** @type {{[name: string]: string}} */
  const allHeaders = { ...headers, Accept: "application/json" };
  if (body !== undefined && !isForm) allHeaders["Content-Type"] = "application/json";
  let response;
  let text;
  try {
    response = await fetch(path, {
      method,
      headers: allHeaders,
      body: isForm ? body : body === undefined ? null : JSON.stringify(body),
      signal: AbortSignal.timeout(timeoutMs),
    });
    text = await response.text();
  } catch {
    throw new Offline();
  }
  let parsed = {};
  try {
    parsed = text ? JSON.parse(text) : {};
  } catch {
    if (response.ok) throw new Offline();
  }
  if (!response.ok) throw new Problem(response.status, parsed, response.headers);
  return { status: response.status, body: parsed };
}

/**
 * Send a request, and return the body of the answer. With `auth` (default: when the reader is signed in) it carries their
 * token, which is fetched anew once if it has ended.
 * @param {string} method
 * @param {string} path
 * @param {Options} [options]
 * @returns {Promise<any>}
 */
export async function request(method, path, { body, key, auth = Boolean(me.id), timeoutMs } = {}) {
  /** @type {{[name: string]: string}} */
  const headers = key ? { "Idempotency-Key": key } : {};
  if (!auth) return (await send(method, path, { body, headers, timeoutMs })).body;
  try {
    headers.Authorization = `Bearer ${await access()}`;
    return (await send(method, path, { body, headers, timeoutMs })).body;
  } catch (error) {
    if (!(error instanceof Problem) || error.status !== 401) throw error;
    forgetToken();
    headers.Authorization = `Bearer ${await access()}`;
    return (await send(method, path, { body, headers, timeoutMs })).body;
  }
}

/**
 * @param {string} path
 * @param {Options} [options]
 */
export const get = (path, options) => request("GET", path, options);

/**
 * @param {string} path
 * @param {unknown} [body]
 * @param {Options} [options]
 */
export const post = (path, body = {}, options = {}) => request("POST", path, { ...options, body });

/**
 * A path with a query of the fields that are not empty.
 * @param {string} path
 * @param {{[name: string]: string | number | boolean | null | undefined}} fields
 */
export function withQuery(path, fields) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(fields)) {
    if (value !== "" && value !== null && value !== undefined) query.set(name, String(value));
  }
  return query.size ? `${path}?${query}` : path;
}

/** A fresh Idempotency-Key. */
export function newKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
