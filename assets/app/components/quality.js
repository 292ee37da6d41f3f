// How good the kept set is: figures of all classes, a table of each, near-duplicates, warnings.

import { bytes, fill, h, number, plural } from "../lib/dom.js";
import { turnBan } from "./overrides_dialog.js";
import { makeCrop } from "./patch_crop.js";

const BATCH = 10;
const QUIET_MS = 180;
const REST_MS = 500;
const LIGHT = 40;
const PAIR_PX = 144;
const HELP = {
  images: "Distilled images that the classes give, of those that the IPC asks for.",
  spread:
    "Mean distance, between features, from each patch of a class to the nearest kept one: 0 to 2. Less is better: the kept ones then stand for all.",
  clusters: "Clusters that have at least one kept patch.",
  near: "Pairs of kept patches of a class whose features are nearly the same (cosine of 0.95 or more).",
  size: "An estimate of the image files at the export's settings: a few of each class are encoded, from the run's own pictures.",
};
const COLUMNS = [
  ["name", "Class", (one) => one.name],
  ["images", "Images", (one) => one.images],
  ["spread", "Spread", (one) => one.spread ?? Infinity],
  ["clusters", "Clusters covered", (one) => (one.clusters ? one.clusters_covered / one.clusters : 0)],
  ["near", "Near-duplicates", (one) => one.near_duplicates],
  ["size", "Size", (one) => one.bytes ?? -1],
];

/** The strip, the table and the warnings; `figures(found)` is told of each class's, `look(class, piece)` of a click. */
export function createQuality(app, { figures, look }) {
  const own = { classes: new Map(), sizes: new Map(), all: null, sort: "", back: false, wait: 0, weigh: false };
  const tiles = makeTiles({
    near: () => showPairs(app, [...own.classes.values()], look),
    size: () => {
      own.weigh = true;
      askSizes();
    },
  });
  const warning = h("div.notices", { role: "status" });
  const body = h("tbody", {});
  const heads = COLUMNS.map(([key, word]) =>
    h(
      "th",
      { scope: "col", className: key === "name" ? "" : "figure" },
      h("button", { type: "button", onclick: () => sortBy(key) }, word),
    ),
  );
  const table = h(
    "details.per-class",
    {},
    h("summary", {}, "Figures of each class"),
    h("div.wide", {}, h("table", {}, h("thead", {}, h("tr", {}, heads)), body)),
  );
  return { strip: tiles.element, warning, table, refresh };

  /** Ask for the figures of the present settings, as soon as the hand rests. */
  function refresh() {
    tiles.element.setAttribute("aria-busy", "true");
    clearTimeout(own.wait);
    own.wait = setTimeout(() => app.attempt(askAll), QUIET_MS);
  }

  async function askAll() {
    const done = await app
      .latest("quality", async () => {
        const { state } = app.store;
        const classes = new Map();
        for (const names of batches(app)) {
          const found = await app.ask("quality", { classes: names });
          if (changed(app, state)) return null;
          for (const one of found) classes.set(one.name, one);
          figures(found);
        }
        const all = await app.ask("overall");
        return changed(app, state) ? null : { classes, all };
      })
      .catch(() => null); // what is wrong is said where the set is asked for
    if (!done) return;
    Object.assign(own, done, { sizes: new Map() });
    showAll();
    clearTimeout(own.wait);
    if (own.weigh || app.start.classes.length <= LIGHT) own.wait = setTimeout(() => app.attempt(askSizes), REST_MS);
  }

  async function askSizes() {
    const sizes = await app.latest("sizes", async () => {
      const { state } = app.store;
      const found = new Map();
      for (const names of batches(app)) {
        for (const one of await app.ask("sizes", { classes: names })) found.set(one.name, one);
        if (changed(app, state)) return null;
      }
      return found;
    });
    if (!sizes) return;
    own.sizes = sizes;
    showAll();
  }

  function showAll() {
    tiles.element.removeAttribute("aria-busy");
    tiles.show(own.all, own.sizes, app.start.classes.length > LIGHT && !own.weigh);
    showWarning(app, warning, own);
    showTable();
  }

  function sortBy(key) {
    own.back = own.sort === key ? !own.back : false;
    own.sort = key;
    showTable();
  }

  function showTable() {
    const [, , value] = COLUMNS.find(([key]) => key === own.sort) ?? ["", "", () => 0]; // at first, the dataset's order
    const lines = [...own.classes.values()].map((one) => ({ ...one, bytes: own.sizes.get(one.name)?.bytes }));
    lines.sort((a, b) => (value(a) < value(b) ? -1 : value(a) > value(b) ? 1 : 0) * (own.back ? -1 : 1));
    heads.forEach((head, n) =>
      head.setAttribute("aria-sort", COLUMNS[n][0] !== own.sort ? "none" : own.back ? "descending" : "ascending"),
    );
    fill(
      body,
      lines.map((one) => makeLine(app, one, look)),
    );
  }
}

function changed({ store }, { run, select, export: written }) {
  const { state } = store;
  return state.run !== run || state.select !== select || state.export !== written;
}

function batches(app) {
  const names = app.start.classes.map((one) => one.name);
  return Array.from({ length: Math.ceil(names.length / BATCH) }, (_, n) => names.slice(n * BATCH, (n + 1) * BATCH));
}

function makeLine(app, one, look) {
  const near = one.near_duplicates
    ? h(
        "button.link",
        {
          type: "button",
          onclick: () => showPairs(app, [one], look),
          "aria-label": `${plural(one.near_duplicates, "pair")} of ${one.name}`,
        },
        one.near_duplicates,
      )
    : "0";
  const cells = [
    `${one.images} of ${one.images + one.short}`,
    number(one.spread),
    `${one.clusters_covered} of ${one.clusters}`,
    near,
    one.bytes == null ? "–" : `about ${bytes(one.bytes)}`,
  ];
  return h(
    "tr",
    { className: one.short ? "lacks" : "" },
    h("th", { scope: "row" }, one.name),
    cells.map((cell) => h("td.figure", {}, cell)),
  );
}

/** The figures of all classes, each with what it means. */
function makeTiles({ near, size }) {
  const tile = (key, word) => {
    const value = h("dd", {}, "–");
    return { value, element: h("div.tile-figure", { title: HELP[key] }, h("dt", {}, word), value) };
  };
  const tiles = {
    images: tile("images", "Images"),
    spread: tile("spread", "Spread"),
    clusters: tile("clusters", "Clusters covered"),
    near: tile("near", "Near-duplicates"),
    size: tile("size", "Size"),
  };
  const about = h(
    "button.about",
    { type: "button", "aria-label": "What the figures mean", "aria-expanded": "false" },
    "?",
  );
  const help = h(
    "dl.meanings",
    { hidden: true },
    Object.entries(tiles).map(([key, one]) => [
      h("dt", {}, one.element.querySelector("dt").textContent),
      h("dd", {}, HELP[key]),
    ]),
  );
  about.addEventListener("click", () => {
    help.hidden = !help.hidden;
    about.setAttribute("aria-expanded", String(!help.hidden));
  });
  const element = h(
    "section.strip",
    { "aria-label": "Figures of the whole set" },
    h(
      "div.strip-line",
      {},
      h(
        "dl.tiles",
        {},
        Object.values(tiles).map((one) => one.element),
      ),
      about,
    ),
    help,
  );
  return {
    element,
    show(all, sizes, ask) {
      tiles.images.value.textContent = `${all.images.toLocaleString("en")} of ${(all.images + all.short).toLocaleString("en")}`;
      tiles.images.element.classList.toggle("lacks", all.short > 0);
      tiles.spread.value.textContent = number(all.spread);
      tiles.clusters.value.textContent = `${all.clusters_covered.toLocaleString("en")} of ${all.clusters.toLocaleString("en")}`;
      const pairs = plural(all.near_duplicates, "pair");
      fill(tiles.near.value, all.near_duplicates ? h("button.link", { type: "button", onclick: near }, pairs) : "none");
      const sum = [...sizes.values()].reduce((total, one) => total + one.bytes, 0);
      fill(
        tiles.size.value,
        sizes.size
          ? `about ${bytes(sum)}`
          : ask
            ? h("button.link", { type: "button", onclick: size }, "Estimate")
            : "…",
      );
    },
  };
}

function showWarning(app, place, { all, classes }) {
  if (!all?.short) return fill(place);
  const { select } = app.store.state;
  const lacking = all.short_classes.map((name) => classes.get(name));
  const least = Math.min(...lacking.map((one) => one.images));
  const named = lacking
    .slice(0, 4)
    .map((one) => `${one.name} (${one.images})`)
    .join(", ");
  const more = lacking.length > 4 ? ` and ${lacking.length - 4} more` : "";
  const help = [
    "a smaller IPC",
    "more patches per image",
    select.factor > 1 && "a smaller mosaic",
    select.bans.length > 0 && "fewer bans",
  ].filter(Boolean);
  const act = (words, values) => h("button.button", { type: "button", onclick: () => app.store.select(values) }, words);
  return fill(
    place,
    h(
      "div.notice",
      {},
      h(
        "p",
        {},
        h("strong", {}, `${plural(lacking.length, "class falls", "classes fall")} short of IPC ${select.ipc}`),
        `, ${plural(all.short, "image")} in all: ${named}${more}. What helps: ${listed(help)}.`,
      ),
      h(
        "div.acts",
        {},
        least > 0 && act(`IPC ${least}`, { ipc: least }),
        act(plural(select.per_image + 1, "patch per image", "patches per image"), { per_image: select.per_image + 1 }),
      ),
    ),
  );
}

function listed(words) {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
}

/** Near-duplicates side by side. */
function showPairs(app, classes, look) {
  const found = classes.filter((one) => one.pairs.length);
  const box = app.dialog(
    "Near-duplicates",
    h("p.soft", {}, HELP.near, " Banning one of a pair lets the next best patch take its place."),
    found.map(part),
  );

  function part(one) {
    const hidden = one.near_duplicates - one.pairs.length;
    return [
      h("h3", {}, one.name),
      h(
        "ul.pairs",
        {},
        one.pairs.map((pair) =>
          h(
            "li",
            {},
            pair.map((piece) => side(one.name, piece)),
          ),
        ),
      ),
      hidden > 0 && h("p.soft", {}, `and ${hidden} more`),
    ];
  }

  function side(className, piece) {
    const crop = makeCrop(app);
    crop.show(className, piece, PAIR_PX);
    const go = () => {
      box.close();
      look(className, piece);
    };
    const ban = () => {
      box.close();
      turnBan(app.store, piece.id);
    };
    const numbers = piece.images.map((n) => n + 1).join(", ");
    return h(
      "div.one",
      {},
      h(
        "button.offer",
        { type: "button", onclick: go, "aria-label": `Show ${piece.id}`, title: piece.id },
        crop.element,
        h("span", {}, `image ${numbers} · score ${number(piece.score)}`),
      ),
      h("button.button", { type: "button", onclick: ban, "aria-label": `Ban ${piece.id}` }, "Ban"),
    );
  }
}
