// REST: the token of this page's session, requests, and errors as Problem (the server refused) or Offline (no answer).

const TOKEN = "gavel.token";
const RENEW_EARLY_MS = 30_000;
const TIMEOUT_MS = 15_000;

const data = document.body.dataset;
export const me = {
  id: data.user ?? "",
  roles: (data.roles ?? "").split(" ").filter(Boolean),
  has(role) {
    return this.roles.includes(role);
  },
};

/** The server answered with problem+json: `code` names the rule, `body` has the figures. */
export class Problem extends Error {
  constructor(status, body, headers) {
    super(body.detail || `The server answered ${status}.`);
    this.status = status;
    this.code = body.code ?? "";
    this.field = body.field ?? "";
    this.body = body;
    this.retryAfterMs = Number(headers?.get("Retry-After") ?? 0) * 1000;
  }
}

/** No answer: the network, or the server, is away. */
export class Offline extends Error {
  constructor() {
    super("No answer from the server.");
  }
}

let token = readToken();
let renewal = null;

function readToken() {
  try {
    const kept = JSON.parse(sessionStorage.getItem(TOKEN));
    return kept?.sub === me.id ? kept : null;
  } catch {
    return null;
  }
}

function keepToken(fresh) {
  token = fresh;
  try {
    if (fresh) sessionStorage.setItem(TOKEN, JSON.stringify(fresh));
    else sessionStorage.removeItem(TOKEN);
  } catch {
    // without storage each page fetches its own
  }
}

export function forgetToken() {
  keepToken(null);
}

async function renew() {
  const csrf = document.querySelector('meta[name="csrf-token"]')?.content ?? "";
  const { body } = await send("POST", "/api/v1/token", { headers: { "X-CSRFToken": csrf }, body: {} });
  keepToken({ sub: me.id, access: body.access, until: Date.now() + body.expires_in * 1000 });
}

async function access() {
  if (!token || Date.now() > token.until - RENEW_EARLY_MS) {
    renewal ??= renew().finally(() => {
      renewal = null;
    });
    await renewal;
  }
  return token.access;
}

async function send(method, path, { body, headers = {}, timeoutMs = TIMEOUT_MS }) {
  const isForm = body instanceof FormData;
  const sent = { ...headers, Accept: "application/json" };
  if (body !== undefined && !isForm) sent["Content-Type"] = "application/json";
  let response;
  let text;
  try {
    response = await fetch(path, {
      method,
      headers: sent,
      body: body === undefined || isForm ? body : JSON.stringify(body),
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

/** Send a request; with `auth` (default: when the reader is signed in) under their token, fetched anew once if it ended. */
export async function request(method, path, { body, key, auth = Boolean(me.id), timeoutMs } = {}) {
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

export const get = (path, options) => request("GET", path, options);
export const post = (path, body = {}, options = {}) => request("POST", path, { ...options, body });

/** A path with a query of what is not empty. */
export function withQuery(path, fields) {
  const query = new URLSearchParams(
    Object.entries(fields).filter(([, value]) => value !== "" && value !== null && value !== undefined),
  );
  return query.size ? `${path}?${query}` : path;
}

/** A fresh Idempotency-Key. */
export function newKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
