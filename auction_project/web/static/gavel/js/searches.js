// What a saved search asks for, among offers or among lots: how a list's filter becomes one, the page that shows it, and its words.
// The order of a list is no part of it, nor is what a new lot cannot have yet: a status, and an end that is near. Pure.

import { formatOf } from "./formats.js";
import { addressOfLots, readLots } from "./lots_filter.js";
import { addressOf } from "./shop/filters.js";
import { conditionWord } from "./shop/wording.js";

/** @import {Search} from "./bodies.d.ts" */
/** @import {LotFilter} from "./lots_filter.js" */
/** @import {Filter} from "./shop/filters.js" */

/** @param {Filter} filter @returns {Search} */
export const amongOffers = ({ sort: _, in_stock, ...fields }) => ({
  among: "offers",
  query: { .../** @type {any} */ (fields), in_stock: in_stock === "true" },
});

/** @param {LotFilter} filter @returns {Search} */
export const amongLots = ({ q, format, currency, min_price, max_price }) => ({
  among: "lots",
  query: { q, format: /** @type {any} */ (format), currency, min_price, max_price },
});

/** Whether both find the same. @param {Search} one @param {Search} other */
export function isSameSearch(one, other) {
  /** @type {Record<string, unknown>} */
  const fields = { ...other.query };
  return one.among === other.among && Object.entries(one.query).every(([name, value]) => fields[name] === value);
}

/** The address of the page that shows it. @param {Search} search */
export const pageOf = (search) =>
  search.among === "lots"
    ? addressOfLots("/", { ...readLots(""), ...search.query })
    : addressOf("/shop/search", { ...search.query, in_stock: search.query.in_stock ? "true" : "", sort: "" });

/** In words, such as “brass” · Good · up to 50.00 · EUR · in the shop; "" for a search of everything. @param {Search} search */
export function wordsOf(search) {
  const { q, currency, min_price, max_price } = search.query;
  const own = search.among === "lots" ? [formatWord(search.query.format)] : offerWords(search.query);
  const prices = [min_price && `from ${min_price}`, max_price && `up to ${max_price}`, currency];
  const parts = [q && `“${q}”`, ...own, ...prices].filter(Boolean);
  return parts.length ? [...parts, search.among === "lots" ? "among the lots" : "in the shop"].join(" · ") : "";
}

/** @param {Extract<Search, {among: "offers"}>["query"]} query */
const offerWords = ({ category, condition, in_stock }) => [
  category && `in ${category.replaceAll("-", " ")}`,
  condition && conditionWord(condition),
  in_stock && "in stock",
];

/** @param {Extract<Search, {among: "lots"}>["query"]["format"]} format */
const formatWord = (format) => format && (formatOf({ format })?.label ?? format);
