// An amount as a person types it. Exactly one number in the reader's format is accepted, with the currency's sign or code
// before or after it; anything else is refused, because a guess would bid an amount that the bidder did not mean.

import { decimalsOf, READER, signOf } from "./format.js";

const MAX_DIGITS = 15;
const SPACES = /[\s\u00a0\u202f]/; // what people type, and what Intl groups with
const escape = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

/** The reader's signs: {decimal, group}. A locale that groups with some space takes any. */
export function signsOf(locale = READER) {
  const parts = new Intl.NumberFormat(locale, { useGrouping: true }).formatToParts(1234567.5);
  const find = (type) => parts.find((part) => part.type === type)?.value ?? "";
  return { decimal: find("decimal") || ".", group: find("group") };
}

/** "1,250.5" -> "1250.50" for EUR; null when the text is anything but one number. The server names the rule for too many
 * decimals: "12.345" stays "12.345". */
export function readAmount(text, currency, locale = READER) {
  const { decimal, group } = signsOf(locale);
  const between = SPACES.test(group) ? "[\\s\\u00a0\\u202f]" : escape(group);
  const grouped = group ? `\\d{1,3}(?:${between}\\d{3})+|` : "";
  const match = new RegExp(`^(${grouped}\\d{1,${MAX_DIGITS}})(?:${escape(decimal)}(\\d{1,${MAX_DIGITS}}))?$`).exec(withoutCurrency(text.trim(), currency));
  if (!match) return null;
  const digits = match[1].replace(/\D/g, "");
  if (digits.length > MAX_DIGITS) return null;
  const whole = BigInt(digits).toString();
  const fraction = match[2] ?? "";
  const decimals = decimalsOf(currency);
  if (fraction.length > decimals) return `${whole}.${fraction}`;
  return decimals ? `${whole}.${fraction.padEnd(decimals, "0")}` : whole;
}

/** The text without one sign or code of the currency at one of its ends. */
function withoutCurrency(text, currency) {
  const names = [currency, signOf(currency), signOf(currency).replace(/^[A-Z]+(?=\W)/, "")].filter(Boolean).map(escape).join("|");
  const match = new RegExp(`^(?:(?:${names})\\s*([^]*\\d)|(\\d[^]*?)\\s*(?:${names}))$`, "i").exec(text);
  return match ? (match[1] ?? match[2]) : text;
}

/** An amount in the reader's format, as readAmount() takes it: "1250.50" -> "1250,50" for a German. */
export const forReader = (amount, locale = READER) => String(amount).replace(".", signsOf(locale).decimal);
