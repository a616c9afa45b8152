// The reader's saved searches: the one that the page shows can be saved, and each can be gone to again or removed. Each page lists all
// of them, among offers and among lots, because they are one list with one bound, and each leads to the page that shows it.

import { get, me, request } from "./api.js";
import { create } from "./creating.js";
import { shortDate } from "./dates.js";
import { byId, h, setText } from "./dom.js";
import { showProblem } from "./lists.js";
import { isSameSearch, pageOf, wordsOf } from "./searches.js";

/** @import {SavedSearch, Search} from "./bodies.d.ts" */

/** The part of the page about them; `show` follows what the page shows. A visitor has none. */
export function savedSearches() {
  const button = byId("save", HTMLButtonElement);
  /** @type {SavedSearch[]} */
  let all = [];
  /** @type {Search | null} */
  let current = null;

  async function load() {
    all = (await get("/api/v1/searches")).items;
    draw();
  }

  function draw() {
    byId("searches").hidden = all.length === 0;
    byId("saved-list").replaceChildren(...all.map(item));
    const search = current;
    const isSaved = Boolean(search && all.some((one) => isSameSearch(one, search)));
    byId("saving").hidden = !search || !wordsOf(search) || isSaved;
    setText(byId("saved"), isSaved ? "You saved this search." : "");
  }

  /** @param {SavedSearch} search */
  function item(search) {
    const { id, matched_at } = search;
    const words = wordsOf(search);
    const remove = h("button", { class: "link small", type: "button", "aria-label": `Remove ${words}` }, "Remove");
    remove.addEventListener("click", () => act(() => request("DELETE", `/api/v1/searches/${id}`)));
    return h(
      "li",
      {},
      h("a", { href: pageOf(search) }, words),
      h("span", { class: "muted small" }, matched_at ? `Something new ${shortDate(matched_at)}` : "Nothing new yet"),
      remove,
    );
  }

  /** @param {() => Promise<unknown>} change */
  async function act(change) {
    try {
      showProblem(byId("problem"), null);
      await change();
      await load();
      byId("content").focus();
    } catch (error) {
      showProblem(byId("problem"), error);
    }
  }

  button.addEventListener("click", () => {
    if (!current) return;
    const body = { among: current.among, ...current.query };
    act(() => create("search", { path: "/api/v1/searches", body }));
  });
  if (me.id) load().catch(() => {});
  return {
    /** @param {Search} search */
    show(search) {
      current = me.id ? search : null;
      if (me.id) draw();
    },
  };
}
