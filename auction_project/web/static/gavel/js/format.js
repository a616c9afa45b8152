// Money, instants and spans as people read them. Amounts are decimal strings; sums are made in minor units (BigInt).
// Money looks the same everywhere, "€1,250.50", as in mails; dates and times follow the reader's locale.

const MONEY_LOCALE = "en";
export const READER = globalThis.navigator?.language ?? "en";
const CURRENCIES = { JPY: 0 };
export const decimalsOf = (currency) => CURRENCIES[currency] ?? 2;

/** "1250.50", "EUR" -> "€1,250.50". */
export function money(amount, currency) {
  if (amount === null || amount === undefined) return "–";
  const [whole, fraction] = String(amount).split(".");
  const grouped = new Intl.NumberFormat(MONEY_LOCALE).format(BigInt(whole));
  const sign = signOf(currency);
  const gap = /[A-Za-z]$/.test(sign) ? "\u00a0" : "";
  return `${sign}${gap}${grouped}${fraction ? `.${fraction}` : ""}`;
}

/** "€" for "EUR", as money() shows it. */
export function signOf(currency) {
  const parts = new Intl.NumberFormat(MONEY_LOCALE, { style: "currency", currency }).formatToParts(0);
  return parts.find((part) => part.type === "currency").value;
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

const CLOCK = { hour: "2-digit", minute: "2-digit" };
const TIME = new Intl.DateTimeFormat(READER, { ...CLOCK, second: "2-digit" });
const MOMENT = new Intl.DateTimeFormat(READER, { day: "numeric", month: "short", ...CLOCK });
const LONG = new Intl.DateTimeFormat(READER, { day: "numeric", month: "long", year: "numeric", ...CLOCK });

export const time = (ms) => TIME.format(ms);
export const longDate = (ms) => LONG.format(ms);

/** Day and time, short enough for a card. */
export const shortDate = (ms) => MOMENT.format(ms);

/** The time alone for today, the day before it for other days. */
export function instant(ms) {
  const isToday = new Date(ms).toDateString() === new Date().toDateString();
  return isToday ? TIME.format(ms) : MOMENT.format(ms);
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
  return `${new Intl.NumberFormat(MONEY_LOCALE).format(count)} ${count === 1 ? word : many}`;
}
