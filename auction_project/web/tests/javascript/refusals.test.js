// What the page says about a request that failed.

import assert from "node:assert/strict";
import { test } from "node:test";

import { longDate } from "../../static/gavel/js/dates.js";
import { isNotFound, Offline, Problem } from "../../static/gavel/js/errors.js";
import { explain } from "../../static/gavel/js/refusals.js";

const AT = 1_700_000_000_000;
const refused = (code, figures = {}, status = 409) =>
  explain(new Problem(status, { code, detail: "The server's sentence.", ...figures }));

test("a refusal has the figures that it names", () => {
  const texts = [
    [
      "bid_too_low",
      { amount: "5.00", minimum: "11.00", currency: "EUR" },
      "Your bid of €5.00 was below the minimum of €11.00.",
    ],
    ["bid_unchanged", { amount: "45.00", currency: "EUR" }, "Your maximum is €45.00."],
    ["sold_out", { quantity_left: 2 }, "Only 2 left."],
    ["sold_out", { quantity_left: 0 }, "All units are sold."],
    ["price_differs", { price: "40.00", currency: "USD" }, "The price is $40.00."],
    ["auction_not_open", { starts_at: AT }, `It opens on ${longDate(AT)}.`],
    ["auction_closed", { ends_at: AT }, `It ended on ${longDate(AT)}.`],
    ["return_too_late", { until: AT, days: 14 }, `It could be returned until ${longDate(AT)}.`],
    ["too_many_returned", { asked: 2, possible: 1 }, "At most 1 of it can come back."],
    ["auction_cancelled", { reason: "Damaged." }, "Reason: Damaged."],
    ["amount_invalid", {}, "Enter one amount, such as 1250.50."],
    ["amount_invalid", { maximum: "1000.00" }, "Enter an amount above 0, and at most €1,000.00."],
    ["amount_invalid", { decimals: 2 }, "The server's sentence."],
    [
      "terms_invalid",
      { field: "reserve_price", detail: "reserve_price must be at least the starting price." },
      "It must be at least the starting price.",
    ],
    ["unavailable", {}, "A part of the house does not answer. Please try again in a moment."],
    ["too_many", { maximum: 5 }, "One order may have at most 5."],
    [
      "below_minimum",
      { total: "0.20", minimum: "0.50", currency: "EUR" },
      "It comes to €0.20, and must come to €0.50 at least.",
    ],
    [
      "price_changed",
      { lines: [{ product_id: "p1", seen: "20.50", price: "25.00" }], currency: "EUR" },
      "It is €25.00 now. You saw €20.50.",
    ],
    ["price_changed", { lines: Array(2).fill({ seen: "1.00", price: "2.00" }) }, "The server's sentence."],
  ];
  for (const [code, figures, text] of texts) assert.equal(refused(code, figures).text, text);
});

test("without its figures a refusal says the server's sentence", () => {
  for (const code of [
    "bid_too_low",
    "bid_unchanged",
    "sold_out",
    "price_differs",
    "auction_closed",
    "own_lot",
    "unheard",
  ]) {
    assert.equal(refused(code).text, "The server's sentence.");
    assert.equal(refused(code).rule, code);
  }
});

test("a known rule has its title, another that of the server", () => {
  assert.equal(refused("bid_too_low").title, "Your bid is too low");
  assert.equal(refused("unheard", { title: "Not today" }).title, "Not today");
  assert.equal(refused("unheard").title, "That did not work");
});

test("figures without a currency have that of the auction", () => {
  const error = new Problem(409, { code: "bid_unchanged", amount: "45.00" });

  assert.equal(explain(error, "USD").text, "Your maximum is $45.00.");
});

test("other failures say what they mean", () => {
  assert.equal(explain(new Offline()).title, "No answer");
  assert.deepEqual(explain(new Problem(401, { code: "not_authenticated" })), {
    title: "You are signed out",
    text: "Sign in again to continue.",
    rule: "not_authenticated",
  });
  assert.deepEqual(explain(new TypeError("x is undefined")), {
    title: "Something went wrong",
    text: "x is undefined",
    rule: "",
  });
  assert.equal(explain("odd").text, "odd");
});

test("a problem has what its body and its headers say", () => {
  const problem = new Problem(503, { code: "unavailable", field: "amount" }, new Headers({ "Retry-After": "2" }));

  assert.equal(problem.retryAfterMs, 2_000);
  assert.equal(problem.field, "amount");
  assert.equal(problem.message, "The server answered 503.");
  assert.equal(new Problem(404, {}).retryAfterMs, 0);
});

test("only a 404 is not found", () => {
  assert.equal(isNotFound(new Problem(404, {})), true);
  assert.equal(isNotFound(new Problem(403, {})), false);
  assert.equal(isNotFound(new Offline()), false);
});

test("a checkout of lots that is refused says the next step", () => {
  const words = (code) => {
    const { title, text } = explain(new Problem(409, { code, detail: "The server's sentence." }));
    return [title, text];
  };

  assert.deepEqual(words("not_awarded"), [
    "A lot can't be paid here any more",
    "It is paid already, or its time to pay is over. Your cart has the lots that you can still pay.",
  ]);
  assert.deepEqual(words("same_product"), [
    "The same product twice",
    "One order has each product once. Leave one of the two out in your cart, and order it afterwards.",
  ]);
  assert.equal(
    words("mixed_currencies")[1],
    "One order has one currency. Order what you have in the one first, and the rest afterwards.",
  );
});
