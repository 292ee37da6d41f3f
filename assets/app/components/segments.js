// A row of buttons of which one is pressed.

import { h } from "../lib/dom.js";

/**
 * Create the buttons; `show(value)` presses one.
 * @template V
 * @param {string} label
 * @param {{ value: V, label: string, props?: Record<string, any> }[]} options
 * @param {(value: V) => unknown} choose
 */
export function createSegments(label, options, choose, props = {}) {
  const buttons = options.map((one) =>
    h("button", { type: "button", onclick: () => choose(one.value), ...one.props }, one.label),
  );
  return {
    element: h("div.segments", { role: "group", "aria-label": label, ...props }, buttons),
    buttons,
    /** @param {V} value */
    show(value) {
      buttons.forEach((button, n) => {
        button.setAttribute("aria-pressed", String(options[n].value === value));
      });
    },
  };
}

/**
 * Use texts as their own values.
 * @param {string[]} texts
 */
export function options(texts) {
  return texts.map((text) => ({ value: text, label: text }));
}
