// Settings A beside settings B: their values, where they differ, and the buttons that pin, swap and forget A.

import { fill, h, icon } from "../lib/dom.js";
import { ICONS } from "../lib/icons.js";
import { same, selectQuery } from "../lib/links.js";
import { differing, helpOf, labelOf, textOf } from "../lib/settings_text.js";

/**
 * Pin the current settings as A.
 * @param {App} app
 */
export function pinAsA({ store, toast }) {
  store.go({ a: selectQuery(store.defaults, store.state.select) });
  toast("Pinned the current settings as A. B follows the sliders.");
}

export class ComparedSettings {
  /** @param {App} app */
  constructor(app) {
    this.app = app;
    const { store } = app;
    this.cardA = createCard(app, "A", "pinned");
    this.cardB = createCard(app, "B", "the current settings");
    this.between = h("div.between", { "aria-live": "polite" });
    this.pin = button(ICONS.pin, "Pin the current settings as A", () => pinAsA(app));
    this.swap = button(ICONS.swap, "Swap A and B", () => this.exchange());
    const forget = button(ICONS.close, "Forget A", () => store.go({ a: "" }));
    const cards = h("div.pins-cards", {}, this.cardA.element, this.between, this.cardB.element);
    const buttons = h("div.bar-line", {}, this.pin, this.swap, forget);
    this.element = h("section.pins", { "aria-label": "Settings A and B" }, cards, buttons);
    /** @type {SelectSettings | null} */
    this.a = null;
  }

  /** @param {SelectSettings | null} a null before A is known */
  show(a) {
    const { app, between } = this;
    const b = app.store.state.select;
    this.a = a;
    this.swap.disabled = !a;
    this.cardB.show(b);
    if (!a) return;
    this.cardA.show(a);
    const names = differing(app, a, b);
    this.pin.disabled = names.length === 0;
    const equal = h("p.soft", {}, "A and B are the same. Move a slider: B follows it and A stays.");
    fill(between, names.length ? differences(app, names, a, b) : equal);
  }

  exchange() {
    const { store } = this.app;
    if (this.a) store.select(this.a, "swap", { a: selectQuery(store.defaults, store.state.select) });
  }
}

/**
 * @param {string | string[]} paths
 * @param {string} text
 * @param {() => void} onclick
 */
function button(paths, text, onclick) {
  return h("button.button", { type: "button", onclick }, icon(paths), text);
}

/**
 * @param {App} app
 * @param {string[]} names
 * @param {SelectSettings} a
 * @param {SelectSettings} b
 */
function differences(app, names, a, b) {
  const heads = ["Setting", "A"].map((text) => h("th", { scope: "col" }, text));
  const head = h("tr", {}, heads, h("td"), h("th", { scope: "col" }, "B"));
  const rows = names.map((name) =>
    h(
      "tr",
      { title: helpOf(app, name) },
      h("th", { scope: "row" }, labelOf(app, name)),
      h("td", {}, textOf(app, name, a)),
      h("td.to", { "aria-hidden": "true" }, "→"),
      h("td", {}, textOf(app, name, b)),
    ),
  );
  return h("table", {}, h("caption.sr", {}, "Differences"), h("thead.sr", {}, head), h("tbody", {}, rows));
}

/**
 * @param {App} app
 * @param {string} letter
 * @param {string} subtitle
 */
function createCard(app, letter, subtitle) {
  const list = h("dl", {});
  const title = h("h2", {}, h("span.letter", {}, letter), h("span.soft", {}, subtitle));
  const label = { "aria-label": `Settings ${letter}` };
  return {
    element: h(`section.card.pin-card.of-${letter.toLowerCase()}`, label, title, list),
    /** @param {SelectSettings} select */
    show(select) {
      const defaults = app.store.defaults.select;
      const names = differing(app, select, defaults).filter((name) => !same(select[name], defaults[name]));
      const rows = names.map((name) => {
        const title = helpOf(app, name);
        return h("div", { title }, h("dt", {}, labelOf(app, name)), h("dd", {}, textOf(app, name, select)));
      });
      fill(list, rows.length ? rows : h("div", {}, h("dt.soft", {}, "every setting at its default")));
    },
  };
}
