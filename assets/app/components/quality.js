// The quality of the distilled set: figures of all classes, a table of each class, and warnings.

import { fill, h, helpButton } from "../lib/dom.js";
import { alternatives, bytes, count, distance, number, plural } from "../lib/format.js";
import { titleCells } from "../lib/tooltips.js";
import { NEAR_DUPLICATES, openDuplicates } from "./duplicates_dialog.js";

const BATCH = 10;
const REST_MS = 180;
const ESTIMATE_REST_MS = 500;
/** Datasets of more classes are not encoded unless the visitor asks for it. */
const ESTIMATED_CLASSES = 40;
const LISTED = 4;

/** @typedef {ClassFigures & { images_bytes: number | null }} Line */
/** @type {{ key: string, label: string, value(line: Line): number | string, help: string }[]} */
const COLUMNS = [
  { key: "name", label: "Class", value: (line) => line.name, help: "" },
  {
    key: "images",
    label: "Images",
    value: (line) => line.images,
    help: "Distilled images available, out of those the IPC asks for.",
  },
  {
    key: "coverage",
    label: "Coverage distance",
    value: (line) => line.coverage_distance ?? Infinity,
    help: "Mean feature distance from each patch of a class to the nearest kept patch, from 0 to 2. Lower is better.",
  },
  {
    key: "clusters",
    label: "Clusters covered",
    value: (line) => (line.clusters ? line.clusters_covered / line.clusters : 0),
    help: "Clusters with at least one kept patch.",
  },
  { key: "near", label: "Near-duplicates", value: (line) => line.near_duplicates, help: NEAR_DUPLICATES },
  {
    key: "size",
    label: "Size",
    value: (line) => line.images_bytes ?? -1,
    help: "An estimate of the image files at the export's settings, from a sample that is encoded.",
  },
];

/**
 * @typedef {object} Handlers
 * @property {(found: ClassFigures[]) => void} figures
 * @property {(className: string, patch: Patch) => void} view
 */
/** @typedef {Figures & { short_classes: string[] }} Overall */

export class Quality {
  /**
   * @param {App} app
   * @param {Handlers} handlers
   */
  constructor(app, handlers) {
    this.app = app;
    this.handlers = handlers;
    /** @type {Map<string, ClassFigures>} */
    this.classes = new Map();
    /** @type {Overall | null} */
    this.overall = null;
    /** @type {ExportSummary | null} */
    this.estimate = null;
    this.isEstimateWanted = false;
    this.sort = { key: "", backwards: false };
    this.timer = 0;
    this.tiles = createTiles({
      near: () => openDuplicates(app, [...this.classes.values()], handlers.view),
      size: () => {
        this.isEstimateWanted = true;
        app.attempt(() => this.requestEstimate());
      },
    });
    this.strip = this.tiles.element;
    this.warning = h("div.notices", { role: "status" });
    this.repeats = h("div.notices", { role: "status" });
    this.body = h("tbody", {});
    this.heads = COLUMNS.map(({ key, label }) => {
      const button = h("button", { type: "button", onclick: () => this.sortBy(key) }, label);
      return h("th", { scope: "col", className: key === "name" ? "" : "figure" }, button);
    });
    const table = h("table", {}, h("thead", {}, h("tr", {}, this.heads)), this.body);
    const summary = h("summary", {}, "Figures of each class");
    this.table = h("details.per-class", {}, summary, h("div.wide", {}, table));
  }

  /** Request the figures of the current settings once they are at rest. */
  refresh() {
    this.strip.setAttribute("aria-busy", "true");
    this.schedule(() => this.request(), REST_MS);
  }

  /**
   * @param {() => Promise<void>} work
   * @param {number} wait
   */
  schedule(work, wait) {
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => this.app.attempt(work), wait);
  }

  async request() {
    // Settings that are not valid are reported where the set itself is requested.
    const found = await this.app.latest("quality", () => this.requestAll()).catch(() => null);
    if (!found) return;
    this.classes = found.classes;
    this.overall = found.overall;
    this.estimate = null;
    this.show();
    this.app.attempt(() => showRepeats(this.app, this.repeats, found.overall));
    if (this.isEstimated()) this.schedule(() => this.requestEstimate(), ESTIMATE_REST_MS);
  }

  async requestAll() {
    const { app } = this;
    const { state } = app.store;
    const names = app.start.classes.map((one) => one.name);
    /** @type {Map<string, ClassFigures>} */
    const classes = new Map();
    for (let n = 0; n < names.length; n += BATCH) {
      /** @type {ClassFigures[]} */
      const found = await app.ask("quality", { classes: names.slice(n, n + BATCH) });
      if (isChanged(app, state)) return null;
      for (const one of found) classes.set(one.name, one);
      this.handlers.figures(found);
    }
    /** @type {Overall} */
    const overall = await app.ask("quality_overall");
    return isChanged(app, state) ? null : { classes, overall };
  }

  async requestEstimate() {
    const { app } = this;
    const { state } = app.store;
    const estimate = await app.latest("export estimate", () => app.ask("export_summary")).catch(() => null);
    if (!estimate || isChanged(app, state)) return;
    this.estimate = estimate;
    this.show();
  }

  isEstimated() {
    return this.isEstimateWanted || this.app.start.classes.length <= ESTIMATED_CLASSES;
  }

  show() {
    if (!this.overall) return;
    this.strip.removeAttribute("aria-busy");
    this.tiles.show(this.overall, this.estimate, !this.isEstimated());
    showWarning(this.app, this.warning, this.overall, this.classes);
    this.showTable();
  }

  /** @param {string} key */
  sortBy(key) {
    this.sort = { key, backwards: this.sort.key === key && !this.sort.backwards };
    this.showTable();
  }

  showTable() {
    const { key, backwards } = this.sort;
    const sizes = new Map(this.estimate?.classes.map((one) => [one.name, one.images_bytes]));
    const lines = [...this.classes.values()].map((one) => ({ ...one, images_bytes: sizes.get(one.name) ?? null }));
    const column = COLUMNS.find((one) => one.key === key); // at first there is none, and the order is the dataset's
    if (column) lines.sort((a, b) => compare(column.value(a), column.value(b)) * (backwards ? -1 : 1));
    this.heads.forEach((head, n) => {
      const order = backwards ? "descending" : "ascending";
      head.setAttribute("aria-sort", COLUMNS[n].key === key ? order : "none");
    });
    const rows = lines.map((line) => createRow(line, () => openDuplicates(this.app, [line], this.handlers.view)));
    fill(this.body, rows);
    const table = this.body.closest("table");
    if (table) titleCells(table);
  }
}

/**
 * @param {number | string} a
 * @param {number | string} b
 */
function compare(a, b) {
  return a < b ? -1 : Number(a > b);
}

/**
 * Return whether the settings are others than those of a state.
 * @param {App} app
 * @param {View} before
 */
function isChanged({ store }, before) {
  return ["run", "select", "export"].some((key) => store.state[key] !== before[key]);
}

/**
 * @param {Line} line
 * @param {() => void} openPairs
 */
function createRow(line, openPairs) {
  const { name, images, short, near_duplicates: near, images_bytes: size } = line;
  const label = `${plural(near, "pair")} of ${name}`;
  const pairs = h("button.link", { type: "button", onclick: openPairs, "aria-label": label }, near);
  const cells = [
    `${images} of ${images + short}`,
    distance(line.coverage_distance),
    `${line.clusters_covered} of ${line.clusters}`,
    near ? pairs : "0",
    size == null ? "–" : `about ${bytes(size)}`,
  ];
  const head = h("th", { scope: "row" }, name);
  return h(
    "tr",
    { className: short ? "short" : "" },
    head,
    cells.map((cell) => h("td.figure", {}, cell)),
  );
}

/**
 * Create the figures of all classes, each with its meaning.
 * @param {{ near(): void, size(): void }} handlers
 */
function createTiles({ near, size }) {
  const columns = COLUMNS.slice(1);
  const tiles = columns.map(({ label, help }) => {
    const value = h("dd", {}, "–");
    return { value, element: h("div.tile-figure", { title: help }, h("dt", {}, label), value) };
  });
  const meanings = columns.map(({ label, help }) => [h("dt", {}, label), h("dd", {}, help)]);
  const help = h("dl.meanings", {}, meanings);
  const about = helpButton(help, "Explain the figures");
  const list = h(
    "dl.tiles",
    {},
    tiles.map((one) => one.element),
  );
  const [images, coverage, clusters, duplicates, files] = tiles;
  return {
    element: h(
      "section.strip",
      { "aria-label": "Figures of the whole set" },
      h("div.strip-line", {}, list, about),
      help,
    ),
    /**
     * @param {Overall} overall
     * @param {ExportSummary | null} estimate
     * @param {boolean} onRequest whether the size is estimated only on request
     */
    show(overall, estimate, onRequest) {
      images.value.textContent = `${count(overall.images)} of ${count(overall.images + overall.short)}`;
      images.element.classList.toggle("short", overall.short > 0);
      coverage.value.textContent = distance(overall.coverage_distance);
      clusters.value.textContent = `${count(overall.clusters_covered)} of ${count(overall.clusters)}`;
      const pairs = h("button.link", { type: "button", onclick: near }, plural(overall.near_duplicates, "pair"));
      fill(duplicates.value, overall.near_duplicates ? pairs : "none");
      const button = h("button.link", { type: "button", onclick: size }, "Estimate");
      fill(files.value, estimate ? `about ${bytes(estimate.images_bytes)}` : onRequest ? button : "…");
    },
  };
}

/**
 * Count the repeated tiles of mosaics, and suggest a number of clusters without any.
 * @param {App} app
 * @param {HTMLElement} place
 * @param {Overall} overall
 */
async function showRepeats(app, place, { repeated_tiles: repeated }) {
  const { state } = app.store;
  if (!repeated) {
    fill(place);
    return;
  }
  const title = h("strong", {}, `${plural(repeated, "tile repeats", "tiles repeat")} a patch of the set`);
  const reason = ", marked with its number of tiles: a mosaic's tiles are from one cluster, and some are too small.";
  const advice = h("span", {});
  const acts = h("div.acts", {});
  fill(place, h("div.notice", {}, h("p", {}, title, reason, " ", advice), acts));
  if (app.start.classes.length > ESTIMATED_CLASSES) {
    advice.textContent = "Try fewer clusters, a smaller IPC or a smaller mosaic.";
    return;
  }
  /** @type {{ clusters: number }} */
  const { clusters } = await app.ask("repeat_free_clusters");
  if (isChanged(app, state)) return;
  if (!clusters) {
    advice.textContent = "Try a smaller IPC or a smaller mosaic.";
    return;
  }
  advice.textContent = `With ${plural(clusters, "cluster")} per class no tile repeats.`;
  const onclick = () => app.store.select({ clusters });
  fill(acts, h("button.button", { type: "button", onclick }, `Use ${plural(clusters, "cluster")}`));
}

/**
 * Warn where classes give fewer images than the IPC calls for, and offer what helps.
 * @param {App} app
 * @param {HTMLElement} place
 * @param {Overall} overall
 * @param {Map<string, ClassFigures>} classes
 */
function showWarning({ store }, place, { short, short_classes: names }, classes) {
  if (!short) {
    fill(place);
    return;
  }
  const { ipc, factor, bans, per_image: perImage } = store.state.select;
  const images = names.map((name) => classes.get(name)?.images ?? 0);
  const listed = names.slice(0, LISTED).map((name, n) => `${name} (${images[n]})`);
  const more = names.length > LISTED ? ` and ${names.length - LISTED} more` : "";
  const help = ["a smaller IPC", "more patches per image"];
  if (factor > 1) help.push("a smaller mosaic");
  if (bans.length) help.push("fewer bans");
  const title = h("strong", {}, `${plural(names.length, "class falls", "classes fall")} short of IPC ${ipc}`);
  const text = `, ${plural(short, "image")} in all: ${listed.join(", ")}${more}. Try ${alternatives(help)}.`;
  /**
   * @param {string} label
   * @param {Partial<SelectSettings>} values
   */
  const act = (label, values) => h("button.button", { type: "button", onclick: () => store.select(values) }, label);
  const least = Math.min(...images);
  const perImageLabel = plural(perImage + 1, "patch per image", "patches per image");
  const acts = [least > 0 && act(`IPC ${least}`, { ipc: least }), act(perImageLabel, { per_image: perImage + 1 })];
  fill(place, h("div.notice", {}, h("p", {}, title, text), h("div.acts", {}, acts)));
}
