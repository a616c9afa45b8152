// The filter of a list of orders, as the address of its page holds it. Days are those of the reader. Pure.

/** @typedef {{role: string, status: string, from: string, until: string}} OrderFilter `from` and `until`: days, as 2026-11-30. */

const DAY = /^\d{4}-\d{2}-\d{2}$/;

/** @param {string} query That of an address. @returns {OrderFilter} */
export function readOrderFilter(query) {
  const fields = new URLSearchParams(query);
  /** @param {string} name */
  const day = (name) => (DAY.test(fields.get(name) ?? "") ? (fields.get(name) ?? "") : "");
  return {
    role: fields.get("role") || "buyer",
    status: fields.get("status") ?? "",
    from: day("from"),
    until: day("until"),
  };
}

/**
 * The fields of the request, of which empty ones are the default. The last day counts to its end, also on a day that has 23 or 25 hours.
 * @param {OrderFilter} filter
 */
export function orderQuery({ role, status, from, until }) {
  return { role: role === "buyer" ? "" : role, status, placed_from: startOf(from, 0), placed_until: startOf(until, 1) };
}

/**
 * The first millisecond of the day that is `days` after this one; null without a day.
 * @param {string} day
 * @param {number} days
 */
function startOf(day, days) {
  if (!day) return null;
  const [year = 0, month = 1, date = 1] = day.split("-").map(Number);
  return new Date(year, month - 1, date + days).getTime();
}
