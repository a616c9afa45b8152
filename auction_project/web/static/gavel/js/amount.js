// An amount as a person types it. Exactly one number in the reader's format is accepted, with the currency's sign or code
// before or after it. Anything else is refused, because a guess would bid an amount that the bidder did not mean. Pure.

import { READER } from "./dates.js";
import { decimalsOf, signOf } from "./format.js";

const MAX_DIGITS = 15;
const SPACES = /[\s\u00a0\u202f]/; // what people type, and what Intl groups with

/** @param {string} text */
const quote = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

/** The reader's signs. A locale that groups with some space accepts any space. */
export function signsOf(locale = READER) {
  const parts = new Intl.NumberFormat(locale, { useGrouping: true }).formatToParts(1234567.5);
  /** @param {string} type */
  const sign = (type) => parts.find((part) => part.type === type)?.value ?? "";
  return { decimal: sign("decimal") || ".", group: sign("group") };
}

/**
 * "1,250.5" -> "1250.50" for EUR; null when the text is anything but one number. Surplus decimals stay ("12.345"), so that
 * the server names the rule.
 * @param {string} text
 * @param {string} currency
 * @param {string} [locale]
 * @returns {string | null}
 */
export function readAmount(text, currency, locale = READER) {
  const { decimal, group } = signsOf(locale);
  const between = SPACES.test(group) ? "[\\s\\u00a0\\u202f]" : quote(group);
  const grouped = group ? `\\d{1,3}(?:${between}\\d{3})+|` : "";
  const number = new RegExp(`^(${grouped}\\d{1,${MAX_DIGITS}})(?:${quote(decimal)}(\\d{1,${MAX_DIGITS}}))?$`);
  const match = number.exec(withoutCurrency(text.trim(), currency));
  if (!match) return null;
  const digits = (match[1] ?? "").replace(/\D/g, "");
  if (digits.length > MAX_DIGITS) return null;
  const whole = BigInt(digits).toString();
  const fraction = match[2] ?? "";
  const decimals = decimalsOf(currency);
  if (fraction.length > decimals) return `${whole}.${fraction}`;
  return decimals ? `${whole}.${fraction.padEnd(decimals, "0")}` : whole;
}

/**
 * The text without one sign or code of the currency at one of its ends.
 * @param {string} text
 * @param {string} currency
 */
function withoutCurrency(text, currency) {
  const sign = signOf(currency);
  const names = [currency, sign, sign.replace(/^[A-Z]+(?=\W)/, "")].filter(Boolean).map(quote).join("|");
  const match = new RegExp(`^(?:(?:${names})\\s*([^]*\\d)|(\\d[^]*?)\\s*(?:${names}))$`, "i").exec(text);
  return match?.[1] ?? match?.[2] ?? text;
}

/** What to enter where an amount is expected. */
export const amountHint = () => `Enter one amount, such as ${forReader("1250.50")}.`;

/**
 * An amount in the reader's format, as readAmount() accepts it: "1250.50" -> "1250,50" for a German.
 * @param {string} amount
 * @param {string} [locale]
 */
export const forReader = (amount, locale = READER) => String(amount).replace(".", signsOf(locale).decimal);
