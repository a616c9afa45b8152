// The tree of categories. Pure.

/** @import {Category} from "../bodies.d.ts" */

/** Those without a parent, or of which the parent is not there. @param {Category[]} all */
export const topOf = (all) => all.filter(({ parent }) => !parent || !all.some(({ slug }) => slug === parent));

/** @param {Category[]} all @param {string} slug */
export const childrenOf = (all, slug) => all.filter(({ parent }) => parent === slug);

/**
 * The way from the top to the category, which is its end. Empty when there is no such category.
 * @param {Category[]} all
 * @param {string} slug
 */
export function pathTo(all, slug) {
  const bySlug = new Map(all.map((category) => [category.slug, category]));
  /** @type {Category[]} */
  const path = [];
  for (let at = bySlug.get(slug); at && !path.includes(at); at = at.parent ? bySlug.get(at.parent) : undefined)
    path.unshift(at);
  return path;
}
