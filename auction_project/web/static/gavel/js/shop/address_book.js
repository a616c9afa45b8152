// The address book on the page of the account: each address may be changed, removed, or proposed first.

import { request } from "../api.js";
import { byId, chip, h } from "../dom.js";
import { showProblem } from "../lists.js";
import { addressForm, loadAddresses, postal, removeAddress } from "./addresses.js";

/** @import {Address} from "../bodies.d.ts" */

export function showAddressBook() {
  const list = byId("addresses");
  const add = byId("add-address");
  const problem = byId("addresses-problem");
  const form = addressForm({
    onSaved: () => load().then(() => add.focus()),
    onClosed: () => {
      add.hidden = false;
      add.focus();
    },
  });

  async function load() {
    try {
      const addresses = await loadAddresses();
      showProblem(problem, null);
      list.removeAttribute("aria-busy");
      list.replaceChildren(...addresses.map(item));
      byId("no-address").hidden = addresses.length > 0;
      add.hidden = form.isOpen();
    } catch (error) {
      showProblem(problem, error, { retry: load });
    }
  }

  /** @param {Address | null} address */
  function open(address) {
    add.hidden = true;
    form.open(address);
  }

  /** @param {() => Promise<unknown>} change */
  async function act(change) {
    try {
      await change();
      await load();
      add.focus();
    } catch (error) {
      showProblem(problem, error);
    }
  }

  /** @param {Address} address */
  function item(address) {
    const where = `${address.name}, ${address.city}`;
    /** @param {string} word @param {() => void} onclick */
    const button = (word, onclick) =>
      h("button", { class: "link", type: "button", "aria-label": `${word}: ${where}`, onclick }, word);
    const { id, is_default, ...fields } = address;
    const first = { ...fields, is_default: true };
    return h(
      "li",
      {},
      postal(address),
      h(
        "p",
        { class: "row small" },
        is_default ? chip("Proposed first", "good") : null,
        button("Change", () => open(address)),
        button("Remove", () => act(() => removeAddress(id))),
        is_default
          ? null
          : button("Propose first", () => act(() => request("PUT", `/api/v1/addresses/${id}`, { body: first }))),
      ),
    );
  }

  add.addEventListener("click", () => open(null));
  load();
}
