// The facts of a product as rows of a name and a value. A row without both is left out.

import { h } from "../dom.js";

/** @import {Attribute} from "../bodies.d.ts" */

const MAX = 30;
const MAX_NAME = 40;
const MAX_VALUE = 200;

let count = 0;

/**
 * The rows in `list`, and `add`, the button that adds one.
 * @param {HTMLElement} list
 * @param {HTMLButtonElement} add
 */
export function attributeRows(list, add) {
  /** @type {{row: HTMLElement, name: HTMLInputElement, value: HTMLInputElement}[]} */
  let rows = [];

  function showBound() {
    add.disabled = rows.length >= MAX;
  }

  /** @param {Attribute} attribute */
  function append({ name, value }) {
    count += 1;
    const nameField = h("input", { id: `fact-${count}-name`, value: name, maxlength: MAX_NAME, autocomplete: "off" });
    const valueField = h("input", { id: `fact-${count}-value`, value, maxlength: MAX_VALUE, autocomplete: "off" });
    const remove = h("button", { class: "button quiet small", type: "button" }, "Remove");
    const row = h(
      "li",
      { class: "fact" },
      h("div", {}, h("label", { class: "small", for: nameField.id }, "Name"), nameField),
      h("div", {}, h("label", { class: "small", for: valueField.id }, "Value"), valueField),
      remove,
    );
    const entry = { row, name: nameField, value: valueField };
    const describe = () => remove.setAttribute("aria-label", `Remove the fact ${nameField.value}`.trim());
    describe();
    nameField.addEventListener("input", describe);
    remove.addEventListener("click", () => {
      const next = rows[rows.indexOf(entry) + 1] ?? rows[rows.indexOf(entry) - 1];
      rows = rows.filter((other) => other !== entry);
      row.remove();
      showBound();
      (next?.name ?? add).focus();
    });
    rows.push(entry);
    list.append(row);
    showBound();
    return entry;
  }

  add.addEventListener("click", () => append({ name: "", value: "" }).name.focus());

  return {
    /** @param {Attribute[]} attributes */
    show(attributes) {
      rows = [];
      list.replaceChildren();
      for (const attribute of attributes) append(attribute);
      showBound();
    },
    /** The facts as they are entered. Their fields get the names by which the server refuses them. @returns {Attribute[]} */
    read() {
      const filled = rows.filter(({ name, value }) => name.value.trim() || value.value.trim());
      for (const [at, { name, value }] of filled.entries()) {
        name.name = `attributes.${at}.name`;
        value.name = `attributes.${at}.value`;
      }
      return filled.map(({ name, value }) => ({ name: name.value, value: value.value }));
    },
  };
}
