// Suggestions while the reader types: an ARIA combobox around a search field. The arrows move, Enter searches for the active one,
// Escape closes the list. Without an answer the field is an ordinary one.

import { get, withQuery } from "./api.js";
import { h, setText } from "./dom.js";
import { plural } from "./format.js";
import { newest } from "./newest.js";
import { distinct, moved, TEXT } from "./options.js";

const TYPING_MS = 150;
const LEAST_CHARACTERS = 2;

/**
 * @param {HTMLInputElement} input It stands in a form, which is submitted with the option that was chosen.
 * @param {string} path Where the suggestions come from.
 */
export function suggest(input, path) {
  const id = `${input.id}-options`;
  const list = h("ul", { class: "options", id, role: "listbox", "aria-label": "Suggestions", hidden: true });
  const status = h("p", { class: "visually-hidden", role: "status" });
  const begin = newest();
  let active = TEXT;
  let typed = "";
  let timer = 0;
  for (const [name, value] of [
    ["role", "combobox"],
    ["aria-autocomplete", "list"],
    ["aria-expanded", "false"],
    ["aria-controls", id],
    ["autocomplete", "off"],
  ])
    input.setAttribute(/** @type {string} */ (name), /** @type {string} */ (value));
  input.after(list, status);

  function close() {
    clearTimeout(timer);
    begin();
    list.hidden = true;
    list.replaceChildren();
    setText(status, "");
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
    active = TEXT;
  }

  /** @param {string[]} texts */
  function open(texts) {
    active = TEXT;
    input.removeAttribute("aria-activedescendant");
    list.replaceChildren(
      ...texts.map((text, i) =>
        h("li", { role: "option", id: `${id}-${i}`, "aria-selected": "false", onclick: () => choose(text) }, text),
      ),
    );
    list.hidden = texts.length === 0;
    input.setAttribute("aria-expanded", String(texts.length > 0));
    setText(status, texts.length ? `${plural(texts.length, "suggestion")}. Use the arrow keys.` : "");
  }

  /** @param {string} text */
  function choose(text) {
    input.value = text;
    close();
    input.form?.requestSubmit();
  }

  /** @param {number} option */
  function activate(option) {
    list.children[active]?.setAttribute("aria-selected", "false");
    active = option;
    const element = list.children[active];
    element?.setAttribute("aria-selected", "true");
    element?.scrollIntoView({ block: "nearest" });
    if (element) input.setAttribute("aria-activedescendant", element.id);
    else input.removeAttribute("aria-activedescendant");
    input.value = element?.textContent ?? typed;
  }

  async function load() {
    const isNewest = begin();
    const q = input.value.trim();
    if (q.length < LEAST_CHARACTERS) {
      close();
      return;
    }
    try {
      const { items } = await get(withQuery(path, { q }), { auth: false, timeoutMs: 3_000 });
      if (isNewest() && document.activeElement === input) open(distinct(items));
    } catch {
      if (isNewest()) close();
    }
  }

  input.addEventListener("input", () => {
    typed = input.value;
    clearTimeout(timer);
    timer = setTimeout(load, TYPING_MS);
  });
  input.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !list.hidden) {
      event.preventDefault();
      input.value = typed;
      close();
      return;
    }
    const option = moved(event.key, active, list.children.length);
    if (option === null) return;
    event.preventDefault();
    activate(option);
  });
  input.addEventListener("blur", close);
  list.addEventListener("pointerdown", (event) => event.preventDefault()); // the field keeps the focus until the click
  input.form?.addEventListener("submit", close);
}
