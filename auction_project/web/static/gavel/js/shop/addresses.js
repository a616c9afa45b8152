// The reader's address book, and the form for one address of it.

import { get, request } from "../api.js";
import { create } from "../creating.js";
import { READER } from "../dates.js";
import { byId, control, h, setText } from "../dom.js";
import { showFieldError, showMissing, showProblem } from "../lists.js";
import { addressLines } from "./checkout_rules.js";

/** @import {Address} from "../bodies.d.ts" */

const TEXTS = /** @type {const} */ (["name", "line1", "line2", "postal_code", "city", "phone"]);
const NAMES = new Intl.DisplayNames("en", { type: "region" });

/** "Germany" for "DE". @param {string} code */
export function countryName(code) {
  try {
    return NAMES.of(code) ?? code;
  } catch {
    return code;
  }
}

/** @returns {Promise<Address[]>} The default first. */
export const loadAddresses = async () => (await get("/api/v1/addresses")).items;

/** @param {string} id */
export const removeAddress = (id) => request("DELETE", `/api/v1/addresses/${id}`);

/** @param {Omit<Address, "id" | "is_default">} address */
export const postal = (address) =>
  h(
    "address",
    {},
    addressLines(address, countryName).map((line, i) => h("span", { class: i ? "" : "name" }, line)),
  );

/**
 * The form of the page, which opens for a new address or for one that is changed.
 * @param {{onSaved: (address: Address) => void, onClosed: () => void}} listeners
 */
export function addressForm({ onSaved, onClosed }) {
  const form = byId("address-form", HTMLFormElement);
  const country = control(form, "country", HTMLSelectElement);
  const save = byId("address-save", HTMLButtonElement);
  /** @type {Address | null} */
  let changed = null;
  const options = [...country.options].slice(1);
  for (const option of options) setText(option, countryName(option.value));
  options.sort((one, other) => one.text.localeCompare(other.text, "en"));
  country.append(...options);

  /** @param {Address | null} address Null for a new one. */
  function open(address) {
    changed = address;
    form.reset();
    showFieldError(form, null);
    showProblem(byId("address-problem"), null);
    if (address) for (const name of TEXTS) control(form, name).value = address[name];
    country.value = address?.country ?? homeOf(READER, options);
    control(form, "is_default").checked = address?.is_default ?? false;
    setText(save, address ? "Save changes" : "Save address");
    form.hidden = false;
    control(form, "name").focus();
  }

  function close() {
    form.hidden = true;
    onClosed();
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (showMissing(form) || save.disabled) return;
    const texts = TEXTS.map((name) => [name, control(form, name).value.trim()]);
    const body = {
      ...Object.fromEntries(texts),
      country: country.value,
      is_default: control(form, "is_default").checked,
    };
    save.disabled = true;
    try {
      const saved = changed
        ? await request("PUT", `/api/v1/addresses/${changed.id}`, { body })
        : await create("address", { path: "/api/v1/addresses", body });
      form.hidden = true;
      onSaved(saved);
    } catch (error) {
      if (!showFieldError(form, error)) showProblem(byId("address-problem"), error);
    } finally {
      save.disabled = false;
    }
  });
  byId("address-cancel").addEventListener("click", close);
  form.addEventListener("keydown", (event) => {
    if (event.key === "Escape") close();
  });
  return { open, isOpen: () => !form.hidden };
}

/**
 * The country that the reader's locale names, if it is one of the options.
 * @param {string} locale
 * @param {HTMLOptionElement[]} options
 */
function homeOf(locale, options) {
  const { region } = new Intl.Locale(locale);
  return options.some(({ value }) => value === region) ? (region ?? "") : "";
}
