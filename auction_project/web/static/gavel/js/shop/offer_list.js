// A list of offers with its filters, of which a choice shows how many offers it has. The address of the page holds the filter,
// so that Back undoes a choice. Pages that have the list: a category, and the search.

import { get, withQuery } from "../api.js";
import { byId, control, h, setText } from "../dom.js";
import { withCurrency } from "../filter_fields.js";
import { plural } from "../format.js";
import { empty, showProblem } from "../lists.js";
import * as narrowed from "../narrowing.js";
import { newest } from "../newest.js";
import { addressOf, narrowing, readFilter, widened } from "./filters.js";
import { offerCard } from "./offers.js";
import { conditionWord, countWord } from "./wording.js";

/** @import {Facets, OfferPage} from "../bodies.d.ts" */
/** @import {Filter} from "./filters.js" */
/**
 * @typedef {object} ListOptions
 * @property {string} path Of the page.
 * @property {Partial<Filter>} [fixed] What the page itself says of the filter.
 * @property {(filter: Filter, page: OfferPage) => void} [onShown]
 * @property {HTMLElement} [search] The form with the words.
 */

const PAGE_SIZE = 24;
const CURRENCY = "EUR"; // of a price range when the page knows no other

/** @param {ListOptions} options */
export function offerList({ path, fixed = {}, onShown }) {
  const form = byId("filters", HTMLFormElement);
  const words = byId("search", HTMLFormElement);
  const list = byId("offers");
  const more = byId("more", HTMLButtonElement);
  const sort = byId("sort", HTMLSelectElement);
  const begin = newest();
  let filter = readFilter(location.search, fixed);
  let currency = CURRENCY;
  /** @type {string | null} */
  let next = null;

  /** Go to another filter, as a step of the history. @param {Filter} wanted */
  function go(wanted) {
    const address = addressOf(path, wanted, fixed);
    if (address !== location.pathname + location.search) history.pushState(null, "", address);
    filter = readFilter(location.search, fixed);
    return load();
  }

  async function load() {
    const isNewest = begin();
    showFilter();
    list.setAttribute("aria-busy", "true");
    try {
      /** @type {OfferPage} */
      const page = await get(withQuery("/api/v1/offers", { ...withCurrency(filter, currency), page_size: PAGE_SIZE }), {
        auth: false,
      });
      if (!isNewest()) return;
      showProblem(byId("problem"), null);
      show(page);
      onShown?.(withCurrency(filter, currency), page);
    } catch (error) {
      if (!isNewest()) return;
      list.replaceChildren();
      more.hidden = true;
      showProblem(byId("problem"), error, { retry: load });
    }
    list.removeAttribute("aria-busy");
  }

  async function loadMore() {
    const isNewest = begin({ isRefresh: true });
    more.disabled = true;
    try {
      const query = { ...withCurrency(filter, currency), page_size: PAGE_SIZE, cursor: next };
      /** @type {OfferPage} */
      const page = await get(withQuery("/api/v1/offers", query), { auth: false });
      if (!isNewest()) return;
      const cards = page.items.map(offerCard);
      list.append(...cards);
      cards[0]?.querySelector("a")?.focus();
      setText(byId("found"), `${plural(page.items.length, "more offer")} shown`);
      showNext(page);
    } catch (error) {
      if (isNewest()) showProblem(byId("problem"), error, { retry: loadMore });
    } finally {
      more.disabled = false;
    }
  }

  /** @param {OfferPage} page */
  function show(page) {
    currency = filter.currency || page.facets.prices?.currency || page.items[0]?.currency || currency;
    list.replaceChildren(
      ...(page.items.length ? page.items.map(offerCard) : [h("li", { class: "nothing" }, nothing())]),
    );
    setText(byId("offers-title"), countWord(page));
    setText(byId("found"), `${countWord(page)} found`);
    showFacets(page.facets);
    showNext(page);
  }

  /** @param {OfferPage} page */
  function showNext(page) {
    next = page.next;
    more.hidden = !next;
  }

  function nothing() {
    const narrowed = narrowing(filter, fixed) > 0;
    const all = h(
      "button",
      { class: "link", type: "button", onclick: () => go(widened(filter, fixed)) },
      "clear the filters",
    );
    const where = h("a", { href: "/shop" }, "look around the shop");
    return empty(
      "No offers found",
      h(
        "p",
        {},
        filter.q ? `Nothing matches “${filter.q}”. Try other words, or ` : "You may ",
        narrowed ? all : where,
        ".",
      ),
    );
  }

  /** @param {Facets} facets */
  function showFacets({ categories, conditions, prices }) {
    const names = new Map(categories.map(({ slug, name }) => [slug, name]));
    if (fixed.category) byId("facet-category").hidden = true;
    else
      choices(
        "category",
        categories.map(({ slug, name, count }) => ({ value: slug, name, count })),
      );
    choices(
      "condition",
      conditions.map(({ value, count }) => ({ value, name: wordOf("condition", value), count })),
    );
    narrowed.showRange(prices);
    showChips(names.get(filter.category) ?? filter.category);
  }

  /** @param {"category" | "condition"} name @param {narrowed.Choice[]} values */
  function choices(name, values) {
    /** @param {string} value */
    const wanted = (value) => ({ ...filter, [name]: value });
    narrowed.showChoices(name, values, {
      chosen: filter[name],
      nameOf: (value) => wordOf(name, value),
      hrefOf: (value) => addressOf(path, wanted(value), fixed),
      go: (value) => go(wanted(value)),
    });
  }

  /** @param {string} category Its name. */
  function showChips(category) {
    /** @param {string} text @param {Partial<Filter>} without */
    const chip = (text, without) => ({ text, remove: () => go({ ...filter, ...without }) });
    narrowed.showChips(
      [
        chip(fixed.category ? "" : category, { category: "" }),
        chip(filter.condition && wordOf("condition", filter.condition), { condition: "" }),
        chip(narrowed.priceWord(filter, currency), narrowed.NO_PRICES),
        chip(filter.in_stock && "In stock", { in_stock: "" }),
      ],
      byId("offers-title"),
    );
  }

  /** Put the form and the address's words where they are shown. */
  function showFilter() {
    narrowed.showPrices(form, filter);
    control(words, "q").value = filter.q;
    control(form, "in_stock").checked = filter.in_stock === "true";
    const relevance = sort.querySelector('[value="relevance"]');
    if (relevance instanceof HTMLOptionElement) relevance.disabled = !filter.q;
    sort.value = filter.sort || (filter.q ? "relevance" : "newest");
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const prices = narrowed.readPrices(form, currency);
    if (prices) go({ ...filter, ...prices, in_stock: control(form, "in_stock").checked ? "true" : "" });
  });
  control(form, "in_stock").addEventListener("change", () => form.requestSubmit());
  byId("widen").addEventListener("click", () => {
    go(widened(filter, fixed));
    byId("offers-title").focus();
  });
  sort.addEventListener("change", () => go({ ...filter, sort: sort.value }));
  more.addEventListener("click", loadMore);
  addEventListener("popstate", () => {
    filter = readFilter(location.search, fixed);
    load();
  });
  narrowed.foldOnPhones(byId("narrow", HTMLDetailsElement));
  load();
  return { go, current: () => filter };
}

/** @param {string} name @param {string} value */
const wordOf = (name, value) =>
  name === "condition" ? conditionWord(/** @type {import("../bodies.d.ts").Condition} */ (value)) : value;
