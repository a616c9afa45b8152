// One category of the shop: the way to it, the categories in it, and their offers.

import { get } from "../api.js";
import { byId, h, note, setText } from "../dom.js";
import { showProblem } from "../lists.js";
import { childrenOf, pathTo } from "../shop/categories.js";
import { offerList } from "../shop/offer_list.js";
import { suggest } from "../suggestions.js";

/** @import {Category} from "../bodies.d.ts" */

const title = byId("title");
const slug = title.dataset.category ?? "";

async function showPlace() {
  /** @type {{items: Category[]}} */
  const { items } = await get("/api/v1/categories", { auth: false });
  const path = pathTo(items, slug);
  const here = path.at(-1);
  if (!here) {
    showProblem(byId("problem"), null);
    byId("problem").append(
      note(
        "warn",
        "No such category",
        "It may have another name now. ",
        h("a", { href: "/shop" }, "Look around the shop"),
      ),
    );
    return;
  }
  setText(title, here.name);
  document.title = `${here.name} · Gavel`;
  byId("crumbs").append(
    ...path.slice(0, -1).map((category) => h("li", {}, h("a", { href: `/shop/c/${category.slug}` }, category.name))),
  );
  const children = childrenOf(items, slug);
  byId("children").hidden = children.length === 0;
  byId("children").replaceChildren(
    ...children.map((child) =>
      h(
        "li",
        {},
        h(
          "a",
          { href: `/shop/c/${child.slug}` },
          child.name,
          " ",
          h("span", { class: "muted figure" }, String(child.offers)),
        ),
      ),
    ),
  );
}

offerList({ path: `/shop/c/${slug}`, fixed: { category: slug } });
suggest(byId("q", HTMLInputElement), "/api/v1/offers/suggestions");
showPlace().catch(() => setText(title, "Category"));
