// Short messages at the corner of the page.

import { h, iconButton } from "../lib/dom.js";
import { ICONS } from "../lib/icons.js";

const TOAST_MS = 6000;
const MOST = 3;

/** Create the element that holds the messages. */
export function createToasts() {
  return h("div.toasts", { role: "status", "aria-live": "polite" });
}

/**
 * Show a message; an error stays twice as long, a lasting one until it is removed.
 * @param {HTMLElement} toasts
 * @param {string} text
 * @param {"note" | "error" | "lasting"} kind
 */
export function showToast(toasts, text, kind) {
  const close = iconButton(ICONS.close, "Close", () => item.remove());
  const item = h(`div.toast.${kind === "note" ? "note" : "error"}`, {}, h("span", {}, text), close);
  for (const old of [...toasts.children]) if (old.textContent === item.textContent) old.remove();
  toasts.append(item);
  while (toasts.children.length > MOST) toasts.firstElementChild?.remove();
  if (kind !== "lasting") setTimeout(() => item.remove(), kind === "error" ? 2 * TOAST_MS : TOAST_MS);
  return item;
}

/**
 * Copy a text and confirm it; where the clipboard is not allowed, show the text.
 * @param {App} app
 * @param {string} text
 * @param {string} what
 */
export async function copyText(app, text, what) {
  try {
    await navigator.clipboard.writeText(text);
    app.toast(`Copied ${what}`);
  } catch {
    app.dialog(`Copy ${what}`, h("textarea.code", { value: text, readOnly: true, rows: 4, "aria-label": what }));
  }
}
