// My notifications, newest first; new ones come in at the top.

import { get, post } from "../api.js";
import { byId, chip, h } from "../dom.js";
import { instant, longDate } from "../format.js";
import { empty, showProblem } from "../lists.js";
import { showUnread } from "../shell.js";
import { stream } from "../stream.js";

const LIMIT = 100;

const list = byId("notices");
const button = byId("read");
let cursor = null;

function line(item) {
  const state = item.withdrawn ? "withdrawn" : item.read ? null : "unread";
  return h(
    "li",
    { class: state, dataset: { cursor: item.cursor, auction: item.data.auction_id ?? "" } },
    chip(item.badge, item.withdrawn ? "" : item.mood),
    h(
      "span",
      {},
      item.link ? h("a", { href: item.link }, item.text) : item.text,
      item.withdrawn ? h("span", { class: "later" }, " Out of date: a later notification replaces this one.") : null,
      state === "unread" ? h("span", { class: "visually-hidden" }, " (unread)") : null,
    ),
    h("time", { datetime: new Date(item.at).toISOString(), title: longDate(item.at) }, instant(item.at)),
  );
}

async function load() {
  try {
    const feed = await get(`/api/v1/notifications?limit=${LIMIT}`);
    showProblem(byId("problem"), null);
    list.removeAttribute("aria-busy");
    cursor = feed.cursor;
    stream.resume(cursor);
    button.disabled = feed.unread === 0;
    showUnread(feed.unread);
    if (feed.items.length) list.replaceChildren(...feed.items.reverse().map(line));
    else list.replaceChildren(h("li", { class: "none" }, empty("Nothing yet", h("p", {}, "We'll tell you here about your bids and orders."))));
  } catch (error) {
    showProblem(byId("problem"), error, { retry: load });
  }
}

/** Whether the list has a notification about the same lot, which the new one may put out of date. */
const mayReplace = ({ auction_id: lot }) => Boolean(lot && list.querySelector(`[data-auction="${CSS.escape(lot)}"]`));

stream.addEventListener("notification", ({ detail }) => {
  if (list.querySelector(`[data-cursor="${CSS.escape(detail.cursor)}"]`)) return;
  list.querySelector(".none")?.remove();
  const replaces = mayReplace(detail.data);
  list.prepend(line(detail));
  cursor = detail.cursor;
  button.disabled = false;
  if (replaces) load();
});
stream.addEventListener("reload", load);

button.addEventListener("click", async () => {
  try {
    const { unread } = await post("/api/v1/notifications/read", { cursor });
    showUnread(unread);
    await load();
  } catch (error) {
    showProblem(byId("problem"), error);
  }
});

load();
