// Dialogs, one at a time, that close by button, by Escape, and by a click beside them.

import { h, iconButton } from "../lib/dom.js";
import { ICONS } from "../lib/icons.js";

/**
 * Open a dialog, which removes itself when it closes.
 * @param {HTMLElement} root
 * @param {string} title
 * @param {any[]} children
 */
export function openDialog(root, title, children) {
  const close = iconButton(ICONS.close, "Close", () => dialog.close());
  const dialog = h(
    "dialog",
    { "aria-label": title, onclose: () => dialog.remove() },
    h("div.dialog-head", {}, h("h2", {}, title), close),
    h("div.dialog-body", {}, children),
  );
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  root.append(dialog);
  dialog.showModal();
  return dialog;
}

/**
 * Create a table with a head.
 * @param {string[]} head
 * @param {any[]} rows
 */
export function createTable(head, rows) {
  const cells = head.map((text) => h("th", { scope: "col" }, text));
  return h("table", {}, h("thead", {}, h("tr", {}, cells)), h("tbody", {}, rows));
}
