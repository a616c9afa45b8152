// The filter of a list, as the address of its page holds it: a text for each of its fields. Pure.

/**
 * How a filter with these fields is read and written. A field that has its default is not in the address.
 * @template {string} Name
 * @param {readonly Name[]} names
 * @param {readonly Name[]} narrowing Those that a reader can clear at once.
 * @param {Partial<Record<Name, string>>} [defaults] Empty for a field that is not in it.
 */
export function filterFields(names, narrowing, defaults = {}) {
  /** @typedef {Record<Name, string>} Filter */
  /** @typedef {Partial<Filter>} Some */

  /** @param {string} query That of an address. @param {Some} [fixed] What the page itself says. @returns {Filter} */
  function read(query, fixed = {}) {
    const fields = new URLSearchParams(query);
    const found = Object.fromEntries(names.map((name) => [name, (fields.get(name) ?? defaults[name] ?? "").trim()]));
    return /** @type {Filter} */ ({ ...found, ...fixed });
  }

  /** The address of a page with this filter; what the path says is left out. @param {string} path @param {Filter} filter @param {Some} [fixed] */
  function addressOf(path, filter, fixed = {}) {
    const query = new URLSearchParams();
    for (const name of names)
      if (filter[name] !== (defaults[name] ?? "") && !(name in fixed)) query.set(name, filter[name]);
    return query.size ? `${path}?${query}` : path;
  }

  /** How many fields narrow the list. @param {Filter} filter @param {Some} [fixed] */
  const count = (filter, fixed = {}) => narrowing.filter((name) => filter[name] && !(name in fixed)).length;

  /** The filter without what narrows it. @param {Filter} filter @param {Some} [fixed] @returns {Filter} */
  const widened = (filter, fixed = {}) => ({
    ...filter,
    ...Object.fromEntries(narrowing.map((name) => [name, ""])),
    ...fixed,
  });

  return { read, addressOf, narrowing: count, widened };
}

/**
 * The fields of the request. A price range is within one currency, which the request then names.
 * @template {{currency: string, min_price: string, max_price: string}} Filter
 * @param {Filter} filter
 * @param {string} currency The one of the page, when the filter names none.
 * @returns {Filter}
 */
export function withCurrency(filter, currency) {
  const hasRange = filter.min_price || filter.max_price;
  return { ...filter, currency: filter.currency || (hasRange ? currency : "") };
}
