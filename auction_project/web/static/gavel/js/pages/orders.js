// My orders, and the sales that have not become one, or never will; for sellers and operators also those of others. The address
// holds the filter. A notification about a sale loads them anew.

import { get, withQuery } from "../api.js";
import { longDate } from "../dates.js";
import { byId, chip, control, h } from "../dom.js";
import { money, plural } from "../format.js";
import { empty, showPager, showProblem } from "../lists.js";
import { newest } from "../newest.js";
import { orderQuery, readOrderFilter } from "../order_filter.js";
import { isUnderWay, loadSales, orderStatus, saleAsOrder, steps } from "../progress.js";
import { stream } from "../stream.js";

/** @import {Order, Page} from "../bodies.d.ts" */

const PAGE_SIZE = 20;
const AGAIN_MS = 2_500; // while an order is not final

const list = byId("orders");
const form = byId("filters", HTMLFormElement);
const fields = [
  control(form, "role", HTMLSelectElement),
  control(form, "status", HTMLSelectElement),
  control(form, "from"),
  control(form, "until"),
];
let page = 1;
let timer = 0;
const begin = newest();

/** @param {Order} order */
function card(order) {
  const [word, mood] = orderStatus(order.status);
  return h(
    "li",
    { class: "panel order-card" },
    h(
      "div",
      {},
      h("h2", {}, h("a", { href: `/orders/${order.number}` }, order.title)),
      h(
        "p",
        { class: "muted small" },
        `Order ${order.number} · ${longDate(order.placed_at)} · ${plural(order.quantity, "unit")}`,
      ),
    ),
    h(
      "div",
      { class: "row" },
      h("strong", { class: "figure" }, order.amount ? money(order.amount, order.currency) : ""),
      chip(word, mood),
    ),
    order.reason && h("p", { class: "muted" }, `Cancelled: ${order.reason}.`),
    steps(order),
  );
}

async function load() {
  clearTimeout(timer);
  const isNewest = begin();
  const filter = readOrderFilter(location.search);
  for (const field of fields) field.value = filter[/** @type {keyof typeof filter} */ (field.name)];
  const isWhole = filter.role === "buyer" && !filter.status && !filter.from && !filter.until;
  try {
    /** @type {[Page<Order>, Awaited<ReturnType<typeof loadSales>>]} */
    const [placed, sales] = await Promise.all([
      get(withQuery("/api/v1/orders", { ...orderQuery(filter), page, page_size: PAGE_SIZE })),
      loadSales(),
    ]);
    if (!isNewest()) return;
    const numbers = new Set(placed.items.map((order) => order.number));
    const pending =
      page > 1 || !isWhole
        ? []
        : [...sales].filter(
            ([number, items]) => !numbers.has(number) && !items.some((item) => item.kind === "order_confirmed"),
          );
    const asOrders = pending.map(([number, items]) => saleAsOrder(number, items)).filter((order) => order !== null);
    const orders = [...asOrders, ...placed.items].sort((a, b) => b.placed_at - a.placed_at);
    showProblem(byId("problem"), null);
    list.removeAttribute("aria-busy");
    if (orders.length) list.replaceChildren(...orders.map(card));
    else
      list.replaceChildren(
        h(
          "li",
          { class: "nothing" },
          !isWhole
            ? empty(
                "No orders found",
                h("p", {}, "Choose another filter, or ", h("a", { href: "/orders" }, "show all"), "."),
              )
            : empty(
                "No orders yet",
                h("p", {}, "Everything you win or buy appears here, with its status."),
                h(
                  "p",
                  {},
                  h("a", { class: "button", href: "/" }, "Browse auctions"),
                  " ",
                  h("a", { class: "button quiet", href: "/shop" }, "Visit the shop"),
                ),
              ),
        ),
      );
    showPager(byId("pager"), placed, (target) => {
      page = target;
      load();
    });
    if (orders.some(isUnderWay)) timer = setTimeout(load, AGAIN_MS);
  } catch (error) {
    if (isNewest()) showProblem(byId("problem"), error, { retry: load });
  }
}

form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("change", () => {
  const chosen = Object.fromEntries(
    fields.map((field) => [field.name, field.name === "role" && field.value === "buyer" ? "" : field.value]),
  );
  history.pushState(null, "", withQuery("/orders", chosen));
  page = 1;
  load();
});
addEventListener("popstate", () => {
  page = 1;
  load();
});
stream.addEventListener("notification", ({ detail }) => {
  if (detail.data.order_number) load();
});
load();
