// Money and spans as people read them. Amounts are decimal strings; sums are made in minor units (BigInt). Money looks the
// same everywhere, "€1,250.50", as in mails. Pure.

const MONEY_LOCALE = "en";
/** @type {Record<string, number>} */
const DECIMALS = { JPY: 0 };

/** @param {string} currency */
export const decimalsOf = (currency) => DECIMALS[currency] ?? 2;

/**
 * "1250.50", "EUR" -> "€1,250.50"; a dash for no amount.
 * @param {string | number | null | undefined} amount
 * @param {string} currency
 */
export function money(amount, currency) {
  if (amount === null || amount === undefined) return "–";
  const [whole = "0", fraction] = String(amount).split(".");
  const grouped = new Intl.NumberFormat(MONEY_LOCALE).format(BigInt(whole));
  const sign = signOf(currency);
  const gap = /[A-Za-z]$/.test(sign) ? "\u00a0" : "";
  return `${sign}${gap}${grouped}${fraction ? `.${fraction}` : ""}`;
}

/** "€" for "EUR", as money() shows it. @param {string} currency */
export function signOf(currency) {
  const parts = new Intl.NumberFormat(MONEY_LOCALE, { style: "currency", currency }).formatToParts(0);
  return parts.find((part) => part.type === "currency")?.value ?? currency;
}

/**
 * "12.50", "EUR" -> 1250.
 * @param {string | number} amount
 * @param {string} currency
 */
export function toMinor(amount, currency) {
  const decimals = decimalsOf(currency);
  const [whole = "0", fraction = ""] = String(amount).split(".");
  return Number(BigInt(whole + fraction.padEnd(decimals, "0").slice(0, decimals)));
}

/**
 * 1250, "EUR" -> "12.50".
 * @param {number} minor
 * @param {string} currency
 */
export function fromMinor(minor, currency) {
  const decimals = decimalsOf(currency);
  if (!decimals) return String(minor);
  const digits = String(minor).padStart(decimals + 1, "0");
  return `${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`;
}

/** A span counting down: "2 d 4 h", "3 h 20 min", "12:05", "0:09". @param {number} ms */
export function span(ms) {
  const seconds = Math.max(0, Math.ceil(ms / 1000));
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  if (hours >= 48) return `${Math.floor(hours / 24)} d ${hours % 24} h`;
  if (hours >= 1) return `${hours} h ${minutes % 60} min`;
  return `${minutes}:${String(seconds % 60).padStart(2, "0")}`;
}

/** @type {[size: number, name: string][]} */
const UNITS_MS = [
  [86_400_000, "day"],
  [3_600_000, "hour"],
  [60_000, "minute"],
  [1_000, "second"],
];

/** A span in words for a sentence, in its two largest units: "2 minutes", "1 hour 30 minutes". @param {number} ms */
export function duration(ms) {
  const parts = [];
  let rest = Math.round(ms / 1000) * 1000;
  for (const [size, name] of UNITS_MS) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count) parts.push(plural(count, name));
  }
  return parts.slice(0, 2).join(" ") || "0 seconds";
}

/**
 * "1 bid", "2 bids".
 * @param {number} count
 * @param {string} word
 * @param {string} [many]
 */
export function plural(count, word, many = `${word}s`) {
  return `${new Intl.NumberFormat(MONEY_LOCALE).format(count)} ${count === 1 ? word : many}`;
}
