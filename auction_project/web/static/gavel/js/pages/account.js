// My account: the simulated card, and the address book.

import { request } from "../api.js";
import { loadCard, saveCard, TEST_NUMBERS } from "../card.js";
import { byId, h, setText } from "../dom.js";
import { showFieldError, showMissing, showProblem } from "../lists.js";
import { ownPath } from "../own_path.js";
import { showAddressBook } from "../shop/address_book.js";

/** @import {Card} from "../bodies.d.ts" */

const next = ownPath(new URLSearchParams(location.search).get("next"), location.origin);
const form = byId("card-form", HTMLFormElement);
const number = byId("number", HTMLInputElement);

/** @param {Card | null} card */
function show(card) {
  const meaning = TEST_NUMBERS.find(([, behaviour]) => behaviour === card?.behaviour)?.[2] ?? "";
  const declined = card?.usable === false ? " A payment was declined: save another card to bid again." : "";
  setText(
    byId("card-now"),
    card
      ? `${card.brand} card ending in ${card.last4}. ${meaning}.${declined}`
      : "Add a card: without one you can't bid.",
  );
  byId("back").hidden = !(next && card && card.usable !== false);
  byId("remove").hidden = !card;
}

async function load() {
  try {
    show(await loadCard());
  } catch (error) {
    showProblem(byId("problem"), error, { retry: load });
  }
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (showMissing(form)) return;
  try {
    show(await saveCard(number.value));
    showProblem(byId("problem"), null);
    number.value = "";
  } catch (error) {
    if (!showFieldError(form, error)) showProblem(byId("problem"), error);
  }
});

byId("remove").addEventListener("click", async () => {
  try {
    await request("DELETE", "/api/v1/card");
    show(null);
    number.focus();
  } catch (error) {
    showProblem(byId("problem"), error);
  }
});

byId("test-numbers").replaceChildren(
  ...TEST_NUMBERS.map(([digits, , meaning]) => {
    const use = h("button", { class: "button quiet small", type: "button", "aria-label": `Use ${digits}` }, "Use");
    use.addEventListener("click", () => {
      number.value = digits;
      number.focus();
    });
    return h(
      "tr",
      {},
      h("th", { scope: "row" }, h("code", {}, digits)),
      h("td", { dataset: { label: "What happens" } }, meaning),
      h("td", { class: "end" }, use),
    );
  }),
);

if (next) byId("back-link", HTMLAnchorElement).href = next;
load();
showAddressBook();
