// The categories as the options of a field. Each option names all branches above its own, because two may have one name.

import { get } from "../api.js";
import { h } from "../dom.js";
import { pathTo } from "../shop/categories.js";

/** @import {Category} from "../bodies.d.ts" */

/**
 * Fill `field` with the tree, below "No category", and choose `slug`.
 * @param {HTMLSelectElement} field
 * @param {string} [slug]
 */
export async function offerCategories(field, slug = "") {
  /** @type {{items: Category[]}} */
  const { items } = await get("/api/v1/categories");
  field.replaceChildren(
    h("option", { value: "" }, "No category"),
    ...items.map((category) => {
      const way = pathTo(items, category.slug).map(({ name }) => name);
      return h("option", { value: category.slug }, way.join(" › "));
    }),
  );
  field.value = slug;
}
