// Instants in the reader's locale and time zone. There are two styles, short and long; the running clock has its own. Pure.

export const READER = globalThis.navigator?.language ?? "en";

/** @type {Intl.DateTimeFormatOptions} */
const CLOCK = { hour: "2-digit", minute: "2-digit" };
const TIME = new Intl.DateTimeFormat(READER, { ...CLOCK, second: "2-digit" });
const DAY_AND_TIME = new Intl.DateTimeFormat(READER, { day: "numeric", month: "short", ...CLOCK });
const DAY_AND_YEAR = new Intl.DateTimeFormat(READER, { day: "numeric", month: "short", year: "numeric" });
const LONG = new Intl.DateTimeFormat(READER, { day: "numeric", month: "long", year: "numeric", ...CLOCK });

/** The time with its seconds, for a clock that runs. @param {number} ms */
export const clockTime = (ms) => TIME.format(ms);

/** Day, month, year and time: for sentences and titles. @param {number} ms */
export const longDate = (ms) => LONG.format(ms);

/**
 * The most telling part, for lists and cards: the time of today, day and time of this year, else the day and its year.
 * @param {number} ms
 * @param {number} [now]
 */
export function shortDate(ms, now = Date.now()) {
  const [date, today] = [new Date(ms), new Date(now)];
  if (date.toDateString() === today.toDateString()) return TIME.format(ms);
  return (date.getFullYear() === today.getFullYear() ? DAY_AND_TIME : DAY_AND_YEAR).format(ms);
}

/**
 * Write the instants that the server rendered, each a `<time datetime data-date="short|long">`, as the scripts write theirs.
 * @param {ParentNode} root
 */
export function localise(root) {
  for (const element of root.querySelectorAll("time[data-date]")) {
    if (!(element instanceof HTMLTimeElement)) continue;
    const ms = Date.parse(element.dateTime);
    element.textContent = element.dataset.date === "long" ? longDate(ms) : shortDate(ms);
    if (element.dataset.date === "short") element.title = longDate(ms);
  }
}
