// A product as its seller edits it: the offer, the pictures and the description.

import { get, me, request } from "../api.js";
import { byId, chip, control, h, setText } from "../dom.js";
import { plural } from "../format.js";
import { showFieldError, showMissing, showProblem } from "../lists.js";
import { attributeRows } from "../selling/attributes.js";
import { offerCategories } from "../selling/category_options.js";
import { startOffer } from "../selling/offer_form.js";
import { startPictures } from "../selling/picture_list.js";

/** @import {OwnProduct} from "../bodies.d.ts" */

const form = byId("description-form", HTMLFormElement);
const button = byId("save-description", HTMLButtonElement);
const id = byId("product").dataset.id ?? "";
const path = `/api/v1/products/${id}`;
const facts = attributeRows(byId("facts"), byId("add-fact", HTMLButtonElement));

/** @param {OwnProduct} product */
function showStock({ title, sku, available, reserved }) {
  setText(byId("title-of-product"), title);
  document.title = `${title} · Gavel`;
  byId("stock").replaceChildren(
    h("code", {}, sku),
    ` · ${plural(available, "unit")} available, ${reserved} reserved `,
    available ? "" : chip("No stock", "warn"),
    me.has("operator") ? h("a", { href: `/admin/inventory/product/${id}/change/` }, "Receive units") : "",
  );
}

/** @param {OwnProduct} product */
function fill(product) {
  for (const name of /** @type {const} */ (["title", "description", "condition"])) textOf(name).value = product[name];
  facts.show(product.attributes);
}

/** @param {string} name @returns {HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement} */
function textOf(name) {
  const field = form.elements.namedItem(name);
  if (field instanceof HTMLSelectElement || field instanceof HTMLTextAreaElement) return field;
  return control(form, name);
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (showMissing(form)) return;
  button.disabled = true;
  setText(byId("description-said"), "");
  try {
    const names = ["title", "description", "condition", "category"];
    const body = { ...Object.fromEntries(names.map((name) => [name, textOf(name).value])), attributes: facts.read() };
    /** @type {OwnProduct} */
    const product = await request("PATCH", path, { body });
    fill(product);
    showStock(product);
    showProblem(byId("description-problem"), null);
    setText(byId("description-said"), "Saved. Lots that are listed keep the text that they were listed with.");
  } catch (error) {
    if (showFieldError(form, error)) showProblem(byId("description-problem"), null);
    else showProblem(byId("description-problem"), error);
  } finally {
    button.disabled = false;
  }
});

async function start() {
  try {
    /** @type {OwnProduct} */
    const product = await get(path);
    showStock(product);
    fill(product);
    startPictures(product);
    await offerCategories(control(form, "category", HTMLSelectElement), product.category ?? "");
    await startOffer(product);
    byId("product").hidden = false;
    showProblem(byId("problem"), null);
  } catch (error) {
    showProblem(byId("problem"), error, { retry: () => location.reload() });
  } finally {
    byId("loading").hidden = true;
  }
}

start();
