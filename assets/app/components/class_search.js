// A dialog to choose one of many classes by name.

import { fill, h, stylesheet } from "../lib/dom.js";
import { matchingClasses } from "../lib/find.js";
import { count } from "../lib/format.js";

stylesheet(new URL("./class_search.css", import.meta.url));

/** Names that are listed at once, at most. */
const MOST = 200;

/**
 * Open the dialog; `choose(name)` is called once.
 * @param {App} app
 * @param {(name: string) => void} choose
 */
export function openClassSearch(app, choose) {
  const { classes } = app.start;
  const input = h("input", { type: "search", placeholder: "name of a class", "aria-label": "Search classes" });
  input.autocomplete = "off";
  const status = h("p.soft.class-count", { role: "status" });
  const list = h("div.class-search", { role: "group", "aria-label": "Classes" });
  const dialog = app.dialog("Choose a class", input, status, list);
  /** @param {string} name */
  const take = (name) => {
    dialog.close();
    choose(name);
  };
  input.addEventListener("input", show);
  input.addEventListener("keydown", ({ key }) => key === "Enter" && matches()[0] && take(matches()[0].name));
  dialog.addEventListener("keydown", (event) => step(event, [input, ...list.children]));
  show();
  input.focus();

  function matches() {
    return matchingClasses(classes, input.value);
  }

  function show() {
    const found = matches();
    const cut = found.length > MOST ? `; the first ${MOST} are listed` : "";
    status.textContent = `${count(found.length)} of ${count(classes.length)} classes${cut}`;
    const current = app.store.state.class_name;
    const buttons = found.slice(0, MOST).map(({ name, scored }) => {
      const props = { type: "button", "aria-current": String(name === current), onclick: () => take(name) };
      return h("button", props, h("span", {}, name), h("span.soft", {}, count(scored)));
    });
    fill(list, buttons);
  }
}

/**
 * Move the focus up and down with the arrow keys.
 * @param {KeyboardEvent} event
 * @param {Element[]} stops
 */
function step(event, stops) {
  const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
  const at = stops.indexOf(/** @type {Element} */ (document.activeElement));
  if (!by || at < 0) return;
  event.preventDefault();
  /** @type {HTMLElement | undefined} */ (stops[at + by])?.focus();
}
