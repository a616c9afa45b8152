// The offer of a product: its price, its limit, whether the shop sells it, and the prices that it had.

import { amountHint, forReader, readAmount } from "../amount.js";
import { get, request } from "../api.js";
import { shortDate } from "../dates.js";
import { byId, chip, control, h, setText } from "../dom.js";
import { money } from "../format.js";
import { showFieldError, showMissing, showProblem } from "../lists.js";
import { offerState } from "./wording.js";

/** @import {OwnOffer, OwnProduct} from "../bodies.d.ts" */

const USUAL_LIMIT = 10;

const form = byId("offer-form", HTMLFormElement);
const publish = byId("publish", HTMLButtonElement);
const save = byId("save-offer", HTMLButtonElement);
const currency = control(form, "currency", HTMLSelectElement);
const price = control(form, "price");
const most = control(form, "max_per_order");

/** @type {OwnOffer | null} */
let offer = null;

/** Show what the shop says of the product now. */
function show() {
  const [word, mood] = offerState(offer);
  byId("offer-state").replaceChildren(chip(word, mood));
  const isPublished = offer?.published ?? false;
  publish.textContent = isPublished ? "Withdraw from the shop" : "Publish in the shop";
  publish.className = isPublished ? "button danger" : "button";
  save.textContent = isPublished ? "Save" : "Save without publishing";
  save.className = isPublished ? "button" : "button quiet";
  const link = byId("in-shop", HTMLAnchorElement);
  link.hidden = !isPublished;
  if (offer) link.href = `/shop/p/${offer.slug}`;
  const prices = offer?.prices ?? [];
  byId("prices").replaceChildren(
    prices.length
      ? h(
          "ol",
          { class: "prices" },
          prices.map(({ price, currency, at }, place) =>
            h(
              "li",
              {},
              h("span", { class: "figure" }, money(price, currency)),
              h("span", { class: "muted small" }, `${place ? "from" : "since"} ${shortDate(at)}`),
            ),
          ),
        )
      : h("p", { class: "muted" }, "No price yet."),
  );
}

/** Put the terms of the offer into the fields. */
function fill() {
  if (!offer) {
    most.value = String(USUAL_LIMIT);
    return;
  }
  price.value = forReader(offer.price);
  currency.value = offer.currency;
  most.value = String(offer.max_per_order);
}

/** @param {string} field @param {string} text */
function refuse(field, text) {
  const input = control(form, field);
  setText(byId(`${field}-error`), text);
  input.setAttribute("aria-invalid", "true");
  input.focus();
}

/** @param {OwnProduct} product */
export async function startOffer(product) {
  const path = `/api/v1/products/${product.id}/offer`;
  offer = product.offer ? await get(path) : null;
  fill();
  show();
  form.hidden = false;

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (showMissing(form)) return;
    const amount = readAmount(price.value, currency.value);
    if (amount === null) return refuse("price", amountHint());
    const wasPublished = offer?.published ?? false;
    const published = event.submitter === publish ? !wasPublished : wasPublished;
    save.disabled = publish.disabled = true;
    setText(byId("offer-said"), "");
    try {
      const body = { price: amount, currency: currency.value, max_per_order: Number(most.value), published };
      offer = await request("PUT", path, { body });
      fill();
      show();
      showProblem(byId("offer-problem"), null);
      setText(byId("offer-said"), said(wasPublished, published));
    } catch (error) {
      if (showFieldError(form, error, currency.value)) showProblem(byId("offer-problem"), null);
      else showProblem(byId("offer-problem"), error);
    } finally {
      save.disabled = publish.disabled = false;
    }
  });
}

/** @param {boolean} was @param {boolean} is */
function said(was, is) {
  if (was === is) return "Saved.";
  return is ? "Published: the shop sells it." : "Withdrawn: the shop shows it no more.";
}
