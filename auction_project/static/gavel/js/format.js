// Money, instants and spans as people read them. Amounts are decimal strings; sums are made in minor units (BigInt).

const LOCALE = document.documentElement.lang || "en";
const CURRENCIES = { JPY: 0 };
const decimalsOf = (currency) => CURRENCIES[currency] ?? 2;

/** "1250.50", "EUR" -> "€1,250.50". */
export function money(amount, currency) {
  if (amount === null || amount === undefined) return "–";
  const [whole, fraction] = String(amount).split(".");
  const parts = new Intl.NumberFormat(LOCALE, { style: "currency", currency, minimumFractionDigits: decimalsOf(currency) }).formatToParts(0);
  const grouped = new Intl.NumberFormat(LOCALE).format(BigInt(whole));
  const point = new Intl.NumberFormat(LOCALE).formatToParts(1.5).find((part) => part.type === "decimal").value;
  const number = fraction ? `${grouped}${point}${fraction}` : grouped;
  const isBefore = parts.findIndex((part) => part.type === "currency") < parts.findIndex((part) => part.type === "integer");
  const sign = parts.find((part) => part.type === "currency").value;
  const gap = parts.some((part) => part.type === "literal") ? "\u00a0" : "";
  return isBefore ? `${sign}${gap}${number}` : `${number}${gap}${sign}`;
}

export function toMinor(amount, currency) {
  const decimals = decimalsOf(currency);
  const [whole, fraction = ""] = String(amount).split(".");
  return Number(BigInt(whole + fraction.padEnd(decimals, "0").slice(0, decimals)));
}

export function fromMinor(minor, currency) {
  const decimals = decimalsOf(currency);
  if (!decimals) return String(minor);
  const digits = String(minor).padStart(decimals + 1, "0");
  return `${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`;
}

/** What somebody typed as an amount -> a decimal string, or null: "1,250.5 €" -> "1250.50". */
export function readAmount(text, currency) {
  let plain = text.replace(/[^\d.,]/g, "");
  if (/,\d{1,2}$/.test(plain) && !/\.\d{1,2}$/.test(plain)) plain = plain.replaceAll(".", "").replace(",", ".");
  plain = plain.replaceAll(",", "");
  const match = /^(\d{1,15})(?:\.(\d*))?$/.exec(plain);
  if (!match || text.includes("-")) return null;
  const decimals = decimalsOf(currency);
  const fraction = match[2] ?? "";
  const whole = BigInt(match[1]).toString();
  if (fraction.length > decimals) return `${whole}.${fraction}`; // the server names the rule
  return decimals ? `${whole}.${fraction.padEnd(decimals, "0")}` : whole;
}

const TIME = new Intl.DateTimeFormat(LOCALE, { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
const DAY = new Intl.DateTimeFormat(LOCALE, { day: "numeric", month: "short" });
const LONG = new Intl.DateTimeFormat(LOCALE, { day: "numeric", month: "long", year: "numeric", hour: "2-digit", minute: "2-digit", hour12: false });

export const time = (ms) => TIME.format(ms);
export const longDate = (ms) => LONG.format(ms);

/** The time alone for today, the day before it for other days. */
export function instant(ms) {
  const isToday = new Date(ms).toDateString() === new Date().toDateString();
  return isToday ? TIME.format(ms) : `${DAY.format(ms)}, ${TIME.format(ms).slice(0, 5)}`;
}

/** A span counting down: "2 d 4 h", "3 h 20 min", "12:05", "0:09". */
export function span(ms) {
  const seconds = Math.max(0, Math.ceil(ms / 1000));
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  if (hours >= 48) return `${Math.floor(hours / 24)} d ${hours % 24} h`;
  if (hours >= 1) return `${hours} h ${minutes % 60} min`;
  return `${minutes}:${String(seconds % 60).padStart(2, "0")}`;
}

/** A span in words for a sentence: "2 minutes", "1 hour". */
export function duration(ms) {
  const units = [[86_400_000, "day"], [3_600_000, "hour"], [60_000, "minute"], [1_000, "second"]];
  const parts = [];
  let rest = Math.round(ms / 1000) * 1000;
  for (const [size, name] of units) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count) parts.push(plural(count, name));
  }
  return parts.slice(0, 2).join(" ") || "0 seconds";
}

export function plural(count, word, many = `${word}s`) {
  return `${new Intl.NumberFormat(LOCALE).format(count)} ${count === 1 ? word : many}`;
}
