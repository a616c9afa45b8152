// The pictures of a product: added, described, put in order by buttons, so by the keyboard, too, and taken away. Each change is sent at
// once, one after the other.

import { request } from "../api.js";
import { create } from "../creating.js";
import { byId, chip, h, setText } from "../dom.js";
import { Problem } from "../errors.js";
import { showProblem } from "../lists.js";
import { explain } from "../refusals.js";
import { MAX_BYTES, scaled } from "../scale_image.js";
import { movedTo } from "./wording.js";

/** @import {OwnProduct, ProductPicture} from "../bodies.d.ts" */

const MAX_PICTURES = 12;
const MAX_ALT = 200;
const UPLOAD_MS = 60_000;

const list = byId("pictures");
const input = byId("image", HTMLInputElement);

/** @type {ProductPicture[]} */
let pictures = [];
let path = "";
/** Resolves when every change so far has been answered. @type {Promise<void>} */
let sending = Promise.resolve();

/** @param {string} text */
const say = (text) => setText(byId("pictures-said"), text);

/** Do this after the changes before it; what fails is said, and the list shows what the server has. @param {() => Promise<void>} change */
function next(change) {
  sending = sending.then(async () => {
    try {
      await change();
      showProblem(byId("pictures-problem"), null);
    } catch (error) {
      say("");
      showProblem(byId("pictures-problem"), error);
      await reload();
    }
  });
  return sending;
}

async function reload() {
  try {
    accept(await request("GET", path.replace(/\/pictures$/, "")));
  } catch {
    // the problem is shown already
  }
}

/** @param {OwnProduct} product */
function accept(product) {
  pictures = product.pictures;
  show();
}

/** @param {ProductPicture[]} wanted */
const arrange = (wanted) => request("PUT", path, { body: { pictures: wanted.map(({ id, alt }) => ({ id, alt })) } });

function show() {
  input.disabled = pictures.length >= MAX_PICTURES;
  setText(
    byId("image-count"),
    pictures.length
      ? `${pictures.length} of ${MAX_PICTURES} pictures. The first one stands for the product in lists.`
      : "",
  );
  list.replaceChildren(...pictures.map(item));
}

/**
 * @param {ProductPicture} picture
 * @param {number} at
 */
function item(picture, at) {
  const number = at + 1;
  const text = h("input", {
    id: `alt-${picture.id}`,
    value: picture.alt,
    maxlength: MAX_ALT,
    autocomplete: "off",
    "aria-describedby": `alt-${picture.id}-error`,
  });
  text.addEventListener("change", () => describe(picture.id, text));
  /**
   * @param {string} name
   * @param {string} word
   * @param {boolean} isPossible
   * @param {() => void} onclick
   */
  const button = (name, word, isPossible, onclick) =>
    h(
      "button",
      {
        class: "button quiet small",
        type: "button",
        dataset: { does: name },
        disabled: !isPossible,
        "aria-label": `${word}: picture ${number}`,
        onclick,
      },
      word,
    );
  return h(
    "li",
    { class: "picture-item", dataset: { id: picture.id } },
    h("img", { class: "thumb", src: picture.thumbnail, alt: picture.alt, width: 96, height: 96 }),
    h(
      "div",
      {},
      h(
        "div",
        { class: "field" },
        h("label", { for: text.id }, `What picture ${number} shows`, at === 0 ? [" ", chip("First")] : null),
        text,
        h("p", { class: "field-error", id: `alt-${picture.id}-error` }),
      ),
      h(
        "div",
        { class: "row" },
        button("earlier", "Move earlier", at > 0, () => move(picture.id, -1)),
        button("later", "Move later", at < pictures.length - 1, () => move(picture.id, 1)),
        button("remove", "Remove", true, () => remove(picture.id)),
      ),
    ),
  );
}

/**
 * @param {string} id
 * @param {-1 | 1} by
 */
const move = (id, by) =>
  next(async () => {
    const from = pictures.findIndex((picture) => picture.id === id);
    const wanted = movedTo(pictures, from, from + by);
    if (wanted === pictures) return;
    accept(await arrange(wanted));
    focus(id, by < 0 ? ["earlier", "later"] : ["later", "earlier"]);
    say(`Picture moved to place ${pictures.findIndex((picture) => picture.id === id) + 1} of ${pictures.length}.`);
  });

/** @param {string} id */
const remove = (id) =>
  next(async () => {
    const at = pictures.findIndex((picture) => picture.id === id);
    accept(await arrange(pictures.filter((picture) => picture.id !== id)));
    const neighbour = pictures[at] ?? pictures[at - 1];
    if (neighbour) focus(neighbour.id, ["remove"]);
    else input.focus();
    say("Picture removed. It is shown no more.");
  });

/**
 * The text of a picture. A refusal is said at its field, and the list stays as it is entered.
 * @param {string} id
 * @param {HTMLInputElement} text
 */
const describe = (id, text) =>
  next(async () => {
    const line = byId(`alt-${id}-error`);
    try {
      const product = await arrange(
        pictures.map((picture) => (picture.id === id ? { ...picture, alt: text.value } : picture)),
      );
      pictures = product.pictures;
      text.removeAttribute("aria-invalid");
      setText(line, "");
      say("Text saved.");
    } catch (error) {
      if (!(error instanceof Problem && /^(alt|pictures)/.test(error.field))) throw error;
      text.setAttribute("aria-invalid", "true");
      setText(line, explain(error).text);
    }
  });

/**
 * The first button of the picture that can be pressed.
 * @param {string} id
 * @param {string[]} names
 */
function focus(id, names) {
  for (const name of names) {
    const button = list.querySelector(`[data-id="${id}"] [data-does="${name}"]`);
    if (button instanceof HTMLButtonElement && !button.disabled) return button.focus();
  }
}

/** @param {File} file */
const add = (file) =>
  next(async () => {
    say(`Sending ${file.name} …`);
    setText(byId("image-error"), "");
    const image = await scaled(file);
    if (image.size > MAX_BYTES) {
      setText(byId("image-error"), `${file.name} is larger than 20 MiB.`);
      say("");
      return;
    }
    const body = new FormData();
    body.set("image", image);
    try {
      accept(await create(`picture.${path}`, { path, body, timeoutMs: UPLOAD_MS }));
      say(`${file.name} is added as picture ${pictures.length}. Say below what it shows.`);
    } catch (error) {
      if (!(error instanceof Problem && error.field === "image")) throw error;
      say("");
      setText(byId("image-error"), `${file.name}: ${explain(error).text}`);
      input.focus();
    }
  });

/** @param {OwnProduct} product */
export function startPictures(product) {
  path = `/api/v1/products/${product.id}/pictures`;
  accept(product);
  list.removeAttribute("aria-busy");
  input.addEventListener("change", () => {
    for (const file of input.files ?? []) add(file);
    input.value = "";
  });
}
