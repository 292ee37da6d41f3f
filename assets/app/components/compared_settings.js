// Settings A beside settings B: what each of them says, where they differ, and what pins them.

import { fill, h, icon } from "../lib/dom.js";
import { ICONS } from "../lib/icons.js";
import { differing, labelOf, valueOf } from "../lib/settings_text.js";
import { queryOf, same } from "../lib/store.js";

/** The query of settings of selecting alone; never empty, since an empty A is none. */
export function pinned({ defaults }, select) {
  const bare = { select, export: defaults.export };
  return queryOf(bare, defaults) || `ipc=${defaults.select.ipc}`;
}

/** Pin the present settings as A. */
export function pin({ store, toast }) {
  store.go({ a: pinned(store, store.state.select) });
  toast("Pinned the present settings as A: B follows the sliders");
}

/** The head of the comparison; `show(a)` takes the settings of A, or null before they are known. */
export function createHead(app) {
  const { store } = app;
  const [cardA, cardB] = [makeCard("A", "pinned"), makeCard("B", "the present settings")];
  const between = h("div.between", { "aria-live": "polite" });
  const button = (path, text, onclick) => h("button.button", { type: "button", onclick }, path && icon(path), text);
  const again = button(ICONS.pin, "Pin the present settings as A", () => pin(app));
  const swap = button(ICONS.swap, "Swap A and B", () => exchange());
  const forget = button(ICONS.close, "Forget A", () => store.go({ a: "" }));
  const element = h(
    "section.pins",
    { "aria-label": "Settings A and B" },
    h("div.pins-cards", {}, cardA.element, between, cardB.element),
    h("div.bar-line", {}, again, swap, forget),
  );
  let settings = null;
  return { element, show };

  function show(a) {
    settings = a;
    swap.disabled = !a;
    cardB.show(app, store.state.select);
    if (!a) return;
    cardA.show(app, a);
    const names = differing(app, a, store.state.select);
    again.disabled = names.length === 0;
    fill(
      between,
      names.length ? changes(names) : h("p.soft", {}, "A and B are the same. Move a slider: B follows it, A stays."),
    );
  }

  function changes(names) {
    const row = (name) =>
      h(
        "tr",
        {},
        h("th", { scope: "row" }, labelOf(app, name)),
        h("td", {}, valueOf(app, name, settings)),
        h("td.to", { "aria-hidden": "true" }, "→"),
        h("td", {}, valueOf(app, name, store.state.select)),
      );
    return h(
      "table",
      {},
      h("caption.sr", {}, "What differs"),
      h(
        "thead.sr",
        {},
        h(
          "tr",
          {},
          h("th", { scope: "col" }, "Setting"),
          h("th", { scope: "col" }, "A"),
          h("td"),
          h("th", { scope: "col" }, "B"),
        ),
      ),
      h("tbody", {}, names.map(row)),
    );
  }

  function exchange() {
    const now = pinned(store, store.state.select);
    store.select(settings, "swap", { a: now });
  }
}

function makeCard(letter, words) {
  const list = h("dl", {});
  const element = h(
    `section.card.pin-card.of-${letter.toLowerCase()}`,
    { "aria-label": `Settings ${letter}` },
    h("h2", {}, h("span.letter", {}, letter), h("span.soft", {}, words)),
    list,
  );
  return {
    element,
    show(app, select) {
      const { defaults } = app.store;
      const names = Object.keys(defaults.select).filter((name) => !same(select[name], defaults.select[name]));
      const ordered = differing(app, select, defaults.select).filter((name) => names.includes(name));
      const lines = ordered.map((name) =>
        h("div", {}, h("dt", {}, labelOf(app, name)), h("dd", {}, valueOf(app, name, select))),
      );
      fill(list, lines.length ? lines : h("div", {}, h("dt.soft", {}, "every setting at its default")));
    },
  };
}
