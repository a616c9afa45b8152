// A new product: its fields, and the picture that was chosen, scaled down and shown before it is sent.

import { create } from "../creating.js";
import { byId, control, h, note } from "../dom.js";
import { showFieldError, showMissing, showProblem } from "../lists.js";
import { MAX_BYTES, scaled } from "../scale_image.js";
import { offerCategories } from "../selling/category_options.js";

const UPLOAD_MS = 60_000;

const form = byId("form", HTMLFormElement);
const button = byId("create", HTMLButtonElement);
const image = byId("image", HTMLInputElement);
const picked = byId("picked", HTMLImageElement);

/** The picture to send, as soon as it is scaled. @type {Promise<File | null>} */
let picture = Promise.resolve(null);

image.addEventListener("change", async () => {
  const file = image.files?.[0];
  const scaling = file ? scaled(file) : Promise.resolve(null);
  picture = scaling;
  URL.revokeObjectURL(picked.src);
  picked.hidden = byId("alt-field").hidden = !file;
  if (file) {
    picked.src = URL.createObjectURL(file);
    picked.alt = `The picture that you chose: ${file.name}`;
  }
  byId("image-error").textContent = "";
  const toSend = await scaling;
  if (scaling !== picture) return; // another one was chosen
  if (toSend && toSend.size > MAX_BYTES) byId("image-error").textContent = "This picture is larger than 20 MiB.";
});

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (showMissing(form)) return;
  button.disabled = true;
  try {
    const body = new FormData(form);
    const toSend = await picture;
    if (toSend) body.set("image", toSend);
    else body.delete("image");
    const product = await create("product", { path: "/api/v1/products", body, timeoutMs: UPLOAD_MS });
    form.reset();
    picture = Promise.resolve(null);
    picked.hidden = byId("alt-field").hidden = true;
    byId("problem").replaceChildren(
      note(
        "good",
        `“${product.title}” is created`,
        "You can list it once the auction house has received it.",
        h(
          "p",
          { class: "row" },
          h("a", { href: `/sell/products/${product.id}` }, "Set its price and add pictures"),
          h("a", { href: `/sell/auctions/new?product=${product.id}` }, "List it in an auction"),
        ),
      ),
    );
    byId("content").focus();
    scrollTo({ top: 0 });
  } catch (error) {
    if (showFieldError(form, error)) showProblem(byId("problem"), null);
    else showProblem(byId("problem"), error);
  } finally {
    button.disabled = false;
  }
});

offerCategories(control(form, "category", HTMLSelectElement)).catch((error) => showProblem(byId("problem"), error));
