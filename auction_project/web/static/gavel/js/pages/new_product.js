// A new product: its fields, and the picture that was chosen, shown before it is sent.

import { request } from "../api.js";
import { byId, h, note } from "../dom.js";
import { showFieldError, showMissing, showProblem } from "../lists.js";

const MAX_IMAGE_BYTES = 20 * 1024 * 1024;
const UPLOAD_MS = 60_000;

const form = byId("form", HTMLFormElement);
const button = byId("create", HTMLButtonElement);
const image = byId("image", HTMLInputElement);
const picked = byId("picked", HTMLImageElement);

image.addEventListener("change", () => {
  const file = image.files?.[0];
  URL.revokeObjectURL(picked.src);
  picked.hidden = !file;
  if (file) {
    picked.src = URL.createObjectURL(file);
    picked.alt = `The picture that you chose: ${file.name}`;
  }
  byId("image-error").textContent = file && file.size > MAX_IMAGE_BYTES ? "This picture is larger than 20 MiB." : "";
});

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (showMissing(form)) return;
  const body = new FormData(form);
  if (!image.files?.length) body.delete("image");
  button.disabled = true;
  try {
    const product = await request("POST", "/api/v1/products", { body, timeoutMs: UPLOAD_MS });
    form.reset();
    picked.hidden = true;
    byId("problem").replaceChildren(
      note(
        "good",
        `“${product.title}” is created`,
        "You can list it once the auction house has received it.",
        h("p", {}, h("a", { href: `/sell/auctions/new?product=${product.id}` }, "List it in an auction")),
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
