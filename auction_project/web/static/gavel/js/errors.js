// How a request can fail: Problem (the server refused it) or Offline (no answer came). Pure.

/** @import {ProblemBody} from "./bodies.d.ts" */

/** The server answered with problem+json: `code` names the rule, `body` has the figures. */
export class Problem extends Error {
  /**
   * @param {number} status
   * @param {ProblemBody} body
   * @param {Headers} [headers]
   */
  constructor(status, body, headers) {
    super(body.detail || `The server answered ${status}.`);
    this.status = status;
    this.code = body.code ?? "";
    this.field = body.field ?? "";
    this.body = body;
    this.retryAfterMs = Number(headers?.get("Retry-After") ?? 0) * 1000;
  }
}

/** No answer: the server, or the network, is unavailable. */
export class Offline extends Error {
  constructor() {
    super("No answer from the server.");
  }
}

/** @param {unknown} error */
export const isNotFound = (error) => error instanceof Problem && error.status === 404;

/** Whether the request may have been done all the same: no answer came, or none that is one. @param {unknown} error */
export const isUnavailable = (error) => error instanceof Offline || (error instanceof Problem && error.status >= 500);
