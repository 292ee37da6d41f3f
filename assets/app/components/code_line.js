// A command or a link that can be read, focused and copied.

import { fill, h, iconButton, stylesheet } from "../lib/dom.js";
import { ICONS } from "../lib/icons.js";

stylesheet(new URL("./code_line.css", import.meta.url));

/**
 * Create the line; `show(parts)` writes each part on a line of its own.
 * @param {App} app
 * @param {string} label
 * @param {string} what
 */
export function createCode(app, label, what) {
  const text = h("code.code");
  const copy = iconButton(ICONS.copy, `Copy ${what}`, () => app.copy(text.textContent ?? "", what));
  const block = h("div.code-block", { tabIndex: 0, role: "group", "aria-label": label }, text);
  return {
    element: h("div.code-line", {}, block, copy),
    /** @param {string[]} parts */
    show(parts) {
      if (text.textContent === parts.join("")) return;
      const lines = parts.map((part) => h("span", {}, withUnbrokenOptions(part)));
      fill(text, lines);
    },
  };
}

/**
 * Keep the options of a command whole where its line is broken.
 * @param {string} text
 */
function withUnbrokenOptions(text) {
  return text.split(/(?<= )(--[\w-]+)/).map((part, n) => (n % 2 ? h("b", {}, part) : part));
}
