// My account: the simulated card.

import { get, Problem, request } from "../api.js";
import { byId, h, setText } from "../dom.js";
import { showFieldError, showProblem } from "../lists.js";

const TEST_NUMBERS = [
  ["4242 4242 4242 4242", "accepts", "Pays"],
  ["4000 0000 0000 0002", "refuses", "Is refused"],
  ["4000 0000 0000 4103", "timeout_done", "No answer in time, yet charged"],
  ["4000 0000 0000 4202", "timeout_not_done", "No answer in time, not charged"],
  ["4000 0000 0000 4301", "timeout_lands_late", "No answer in time, charged later"],
];

const form = byId("card-form");
const number = byId("number");

function show(card) {
  const meaning = TEST_NUMBERS.find(([, behaviour]) => behaviour === card?.behaviour)?.[2] ?? "";
  setText(byId("card-now"), card ? `${card.brand}, ending in ${card.last4}. ${meaning}.` : "No card yet: without one, a lot that you win cannot be paid.");
  byId("remove").hidden = !card;
}

async function load() {
  try {
    show(await get("/api/v1/card"));
  } catch (error) {
    if (error instanceof Problem && error.status === 404) show(null);
    else showProblem(byId("problem"), error, { retry: load });
  }
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  showFieldError(form, null);
  try {
    show(await request("PUT", "/api/v1/card", { body: { number: number.value.trim() } }));
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
    return h("tr", {}, h("th", { scope: "row" }, h("code", {}, digits)), h("td", {}, meaning), h("td", { class: "end" }, use));
  }),
);

load();
