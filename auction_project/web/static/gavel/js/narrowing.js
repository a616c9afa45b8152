// What lists with filters share: choices with counts, the price range of the form, and chips of what is set, each of which
// removes what it names.

import { amountHint, forReader, readAmount } from "./amount.js";
import { byId, control, h, setText } from "./dom.js";
import { money } from "./format.js";
import { clearFieldErrors } from "./lists.js";

/** @typedef {{value: string, name: string, count: number | null}} Choice */
/** @typedef {{currency: string, min_price: string, max_price: string}} Prices */

const BOUNDS = /** @type {const} */ (["min_price", "max_price"]);
const WIDE = matchMedia("(min-width: 60rem)");

/** The filters are open beside the list, and folded above it on a phone. @param {HTMLDetailsElement} details */
export function foldOnPhones(details) {
  const fold = () => {
    details.open = WIDE.matches;
  };
  fold();
  WIDE.addEventListener("change", fold);
}

/**
 * The choices of one filter, as links to the list that each would show; "Any" comes first. What is chosen is among them, even if
 * it would show nothing. They are drawn anew: the one that has the focus keeps it.
 * @param {string} name Of the filter; its fieldset has the id `facet-NAME`.
 * @param {Choice[]} choices
 * @param {{chosen: string, nameOf: (value: string) => string, hrefOf: (value: string) => string, go: (value: string) => unknown}} how
 */
export function showChoices(name, choices, { chosen, nameOf, hrefOf, go }) {
  const facet = byId(`facet-${name}`);
  const isKnown = choices.some(({ value }) => value === chosen);
  const missing = chosen && !isKnown ? [{ value: chosen, name: nameOf(chosen), count: 0 }] : [];
  /** @param {Choice} choice */
  const item = ({ value, name: word, count }) => {
    /** @param {MouseEvent} event */
    const onclick = (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      go(value);
    };
    const isCurrent = value === chosen ? "true" : null;
    const figure = count === null ? null : [" ", h("span", { class: "muted figure" }, String(count))];
    return h(
      "li",
      {},
      h("a", { href: hrefOf(value), "aria-current": isCurrent, onclick, dataset: { value } }, word, figure),
    );
  };
  const focused = [...facet.querySelectorAll("a")].find((link) => link === document.activeElement)?.dataset.value;
  facet.hidden = choices.length === 0 && !chosen;
  const all = [{ value: "", name: "Any", count: null }, ...choices, ...missing];
  facet.querySelector("ul")?.replaceChildren(...all.map(item));
  if (focused !== undefined) [...facet.querySelectorAll("a")].find((link) => link.dataset.value === focused)?.focus();
}

/** @param {HTMLFormElement} form @param {Prices} filter */
export function showPrices(form, filter) {
  clearFieldErrors(form);
  for (const name of BOUNDS) control(form, name).value = filter[name] && forReader(filter[name]);
  control(form, "currency", HTMLSelectElement).value = filter.currency;
}

/**
 * The prices that the form says; null when an amount in it is none, which is said at its field.
 * @param {HTMLFormElement} form
 * @param {string} currency The one of the page, when the form names none.
 * @returns {Prices | null}
 */
export function readPrices(form, currency) {
  clearFieldErrors(form);
  const chosen = control(form, "currency", HTMLSelectElement).value;
  const prices = { currency: chosen, min_price: "", max_price: "" };
  for (const name of BOUNDS) {
    const input = control(form, name);
    const amount = input.value.trim() && readAmount(input.value, chosen || currency);
    if (amount === null) {
      setText(byId(`${name}-error`), amountHint());
      input.setAttribute("aria-invalid", "true");
      input.focus();
      return null;
    }
    prices[name] = amount;
  }
  return prices;
}

/** The range of what is found, below the fields. @param {{min: string, max: string, currency: string} | null | undefined} prices */
export const showRange = (prices) =>
  setText(
    byId("prices"),
    prices ? `${money(prices.min, prices.currency)} to ${money(prices.max, prices.currency)}` : "",
  );

/** The prices of a filter in words; "" without any. @param {Prices} filter @param {string} page The currency of the page. */
export function priceWord({ currency, min_price, max_price }, page) {
  const unit = currency || page;
  if (min_price && max_price) return `${money(min_price, unit)} to ${money(max_price, unit)}`;
  if (min_price) return `From ${money(min_price, unit)}`;
  if (max_price) return `Up to ${money(max_price, unit)}`;
  return currency && `In ${currency}`;
}

export const NO_PRICES = Object.freeze({ currency: "", min_price: "", max_price: "" });

/**
 * What is set, as chips above the list. The focus goes to `heading` when one is removed, because it is gone then.
 * @param {{text: string, remove: () => unknown}[]} chips Those without a text are not set.
 * @param {HTMLElement} heading
 */
export function showChips(chips, heading) {
  const set = chips.filter(({ text }) => text);
  setText(byId("narrowed"), set.length ? `(${set.length})` : "");
  byId("chosen-row").hidden = set.length === 0;
  byId("chosen").replaceChildren(
    ...set.map(({ text, remove }) => {
      const onclick = () => {
        remove();
        heading.focus();
      };
      const label = `Remove the filter: ${text}`;
      return h("li", {}, h("button", { class: "chip", type: "button", "aria-label": label, onclick }, text, " ×"));
    }),
  );
}
