// The Map tab: all images of the run in one plane, coloured by what is known of them, selected with a lasso.

import { createHoverCard } from "../components/hover_card.js";
import { MapControls } from "../components/map_controls.js";
import { MapLayer } from "../components/map_layer.js";
import { createMapLegend, cssColor } from "../components/map_legend.js";
import { MapPlot } from "../components/map_plot.js";
import { openSlices } from "../components/slices_dialog.js";
import { pixelOf } from "../lib/camera.js";
import { empty, fill, h, stylesheet, write } from "../lib/dom.js";
import { count, plural } from "../lib/format.js";
import { coloring, labelsOf } from "../lib/map_colors.js";
import { changedClasses, MapData } from "../lib/map_data.js";
import { parseColor, STYLES } from "../lib/map_raster.js";
import { onThemeChange, plotTheme } from "../lib/plotly.js";
import { inside } from "../lib/polygons.js";

const POLL_MS = 600;
const AT_ONCE = 100;
const PALETTE = "viridis";
const TITLE = "UMAP of all images";
const DESCRIPTION =
  "All images of the run as points: images with similar patches are close together. Arrow keys move the view, plus " +
  "and minus zoom, 0 shows all points; with a keyboard, select images by the legend and the search.";
const TOUCH_HINT =
  "Points with a ring are kept. Choose Pan or Lasso above; two fingers zoom, and a tap opens the image.";
const NOTHING_SEEN = "No image is in view: zoom out, or show all points again.";
const HINT =
  "Points with a ring are kept. The wheel zooms, dragging pans. With Shift, dragging draws a lasso that adds to " +
  "the selection. A click opens the image.";
/** @type {Record<string, string>} */
const STAGES = { reading: "Reading the scores", fitting: "Fitting the UMAP" };

stylesheet(new URL("./map.css", import.meta.url));

/** @type {Tab} */
export const tab = { mount: (root, app) => new MapTab(root, app) };

/** @typedef {import("../lib/map_raster.js").Seen} Seen */
/** @typedef {{ ready: boolean, stage: string, done: number, total: number, failed: string }} MapStatus */

class MapTab {
  /**
   * @param {HTMLElement} root
   * @param {App} app
   */
  constructor(root, app) {
    this.app = app;
    /** @type {MapData | null} */
    this.data = null;
    /** @type {import("../lib/map_colors.js").Coloring | null} */
    this.coloring = null;
    /** @type {import("../components/map_layer.js").Label[]} */
    this.labels = [];
    /** The settings that the figures are of, or will be. @type {SelectSettings | null} */
    this.settings = null;
    this.styles = new Uint8Array();
    this.turn = 0;
    /** Classes whose figures are to be requested. @type {Set<number>} */
    this.pending = new Set();
    this.isLoading = false;
    this.field = h("div.map-field", { tabIndex: 0, role: "group", "aria-label": DESCRIPTION });
    this.plot = new MapPlot(this.field, {
      pick: (row) => this.pick(row),
      lasso: (polygon, isMore) => this.lasso(polygon, isMore),
      hover: (row, at) => this.hover(row, at),
      drawn: (seen, isDense) => this.drawn(seen, isDense),
    });
    this.layer = new MapLayer(app, this.plot.sheet);
    this.controls = new MapControls(app, this.plot, {
      paint: () => this.paint(),
      restyle: () => this.restyle(),
      selectFound: () => this.selectFound(),
    });
    this.hoverCard = createHoverCard(app, this.field);
    this.cover = h("div.map-cover", { role: "status" }, "Loading the map …");
    this.facts = h("p.soft.map-facts");
    this.figures = h("p.soft.map-figures", { role: "status" });
    this.legend = createMapLegend((value, label) => this.pressLegend(value, label));
    fill(root, this.createLayout());
    app.selection.subscribe(() => this.restyle());
    onThemeChange(() => this.paint());
  }

  createLayout() {
    const { controls, field, cover, facts, figures, legend } = this;
    const head = h("div.bar-line", {}, h("h2", {}, TITLE), h("span.grow"), controls.searchLine, controls.tools);
    const figure = h("figure.map-plot", {}, field, cover);
    const main = h("section.map-main", { "aria-label": TITLE }, head, figure, facts);
    const hint = h("p.soft.map-hint", {}, matchMedia("(pointer: coarse)").matches ? TOUCH_HINT : HINT);
    const onclick = () => this.app.attempt(() => openSlices(this.app));
    const slices = h("button.link", { type: "button", onclick }, "Named slices");
    const side = [controls.fields, figures, legend.element, hint, slices];
    return h("div.map-tab", {}, main, h("section.map-side", { "aria-label": "Colours of the map" }, side));
  }

  /** @param {Change} change */
  async show(change) {
    if (change.has("run") || !this.data) {
      await this.load();
      return;
    }
    if (change.has("image_id")) this.plot.redraw();
    if (change.has("select")) this.follow();
  }

  hide() {
    this.hoverCard.hide();
  }

  /** Load the positions, waiting for them where they are being fitted; then the ids and the figures. */
  async load() {
    const { app } = this;
    this.turn += 1;
    const { turn } = this;
    this.forget();
    const [points, ids] = await Promise.all([this.fittedPoints(turn), app.ask("map_ids")]);
    if (!points || turn !== this.turn) return;
    const data = new MapData(
      points,
      app.start.classes.map((one) => one.name),
    );
    await data.takeIds(ids);
    if (turn !== this.turn) return;
    this.data = data;
    this.settings = app.store.state.select;
    this.paint(); // in the colours of the classes, until the figures are there
    const { x, y } = data;
    this.plot.show({ x, y, shade: this.shade, style: this.styles });
    this.cover.hidden = true;
    this.pending = new Set(data.classes.keys());
    this.loadFigures();
  }

  /** Show nothing until another run is there. */
  forget() {
    this.data = null;
    this.pending.clear();
    this.plot.clear();
    this.layer.clear();
    this.cover.hidden = false;
    fill(this.cover, "Loading the map …");
    for (const line of [this.facts, this.figures]) line.textContent = "";
  }

  /**
   * @param {number} turn
   * @returns {Promise<any>}
   */
  async fittedPoints(turn) {
    while (turn === this.turn) {
      const result = await this.app.ask("map_points");
      if (result.positions) return result;
      /** @type {MapStatus} */
      const { stage, done, total, failed } = result.status;
      if (failed) {
        fill(this.cover, empty("No map", failed));
        return null;
      }
      const share = total > 1 ? `: ${count(done)} of ${count(total)} classes` : "";
      write(this.cover, `${STAGES[stage] ?? "The map is being fitted"}${share} … Once fitted, the run keeps the map.`);
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    return null;
  }

  /** Request the figures of the classes that changed settings may have changed. */
  follow() {
    const { data, settings, app } = this;
    const { select } = app.store.state;
    if (!data || !settings) return;
    for (const index of changedClasses(settings, select, data)) this.pending.add(index);
    this.settings = select;
    this.loadFigures();
  }

  /** Request figures until all are there; the points are painted as they come. */
  async loadFigures() {
    if (this.isLoading) return;
    this.isLoading = true;
    const { turn, data, app } = this;
    try {
      while (data && this.pending.size && turn === this.turn) {
        const { settings } = this;
        const asked = [...this.pending].slice(0, AT_ONCE);
        this.describeFigures();
        const classes = asked.map((n) => data.classes[n]);
        const result = await app.attempt(() => app.ask("map_marks", { classes }));
        if (!result || turn !== this.turn) break;
        if (settings !== this.settings) continue; // of settings that are no longer the page's
        data.take(result);
        for (const n of asked.slice(0, result.classes.length)) this.pending.delete(n);
        this.paint();
      }
    } finally {
      this.isLoading = false;
      this.describeFigures();
    }
    if (turn !== this.turn && this.pending.size) this.loadFigures();
  }

  describeFigures() {
    const total = this.data?.classes.length ?? 0;
    const left = this.pending.size;
    write(this.figures, left ? `Reading figures: ${count(total - left)} of ${plural(total, "class", "classes")}` : "");
  }

  get shade() {
    return this.coloring?.shade ?? new Uint16Array(this.data?.length ?? 0);
  }

  /** Colour the points, the legend and the names. */
  paint() {
    const { data, app, plot } = this;
    if (!data) return;
    const theme = plotTheme(this.field, ["ink", "soft", "track", "surface", "accent"]);
    const aucs = app.start.classes.map((one) => one.knowledge?.auc ?? null);
    const isDark = document.body.classList.contains("dark");
    const look = { grey: theme.track, ink: theme.ink, accent: theme.accent, isDark, aucs };
    this.coloring = coloring(this.controls.coloring, data, { ...look, scale: app.colors.table("unsigned", PALETTE) });
    const { table } = this.coloring;
    const [dimmed, outline, edge] = [theme.track, theme.ink, theme.surface].map(parseColor);
    plot.look = { table, dimmed, outline, edge };
    const byClusters = this.controls.names === "clusters";
    this.labels = this.controls.names === "none" ? [] : labelsOf(data, byClusters);
    this.legend.show(this.coloring);
    this.restyle();
  }

  /** Show which points are selected, found or kept. */
  restyle() {
    const { data, plot, app } = this;
    if (!data) return;
    const text = this.controls.text;
    const found = text ? data.matching(text) : null;
    const selected = app.selection.count ? data.maskOf(app.selection.groups) : null;
    const isKeptShown = this.controls.coloring !== "kept";
    const styles = new Uint8Array(data.length);
    for (let row = 0; row < data.length; row += 1) {
      const isDimmed = (selected && !selected[row]) || (found && !found[row]);
      if (isDimmed) styles[row] = STYLES.dimmed;
      else styles[row] = isKeptShown && data.marks.kept[row] ? STYLES.kept : STYLES.usual;
    }
    this.styles = styles;
    this.controls.showFound(found);
    if (plot.points) Object.assign(plot.points, { style: styles, shade: this.shade });
    plot.redraw();
  }

  /**
   * @param {Seen} seen
   * @param {boolean} isDense
   */
  drawn(seen, isDense) {
    const { data, plot, layer, coloring: colors } = this;
    if (!data || !colors) return;
    const at = (/** @type {number} */ row) => plot.pixelOf(row);
    const bright = seen.row.subarray(seen.starts[STYLES.usual]);
    // Kept images come first, then the others in their order.
    layer.showImages(data, seen, isDense ? [] : Array.from(bright).reverse(), at);
    layer.frameImages((row) => cssColor(colors.table[colors.shade[row]]));
    const { camera, sides } = plot;
    layer.showNames(this.labels, (label) => pixelOf(camera, sides, label.x, label.y), sides);
    const chosen = data.rowOf(this.app.store.state.image_id);
    layer.ring("chosen", chosen >= 0 ? at(chosen) : null);
    layer.ring("pointed", null);
    write(this.facts, seen.count ? factsOf(data) : NOTHING_SEEN);
    this.field.dataset.seen = String(seen.count);
    this.field.dataset.drawn = isDense ? "density" : "points";
  }

  /**
   * @param {number[]} polygon
   * @param {boolean} isMore
   */
  lasso(polygon, isMore) {
    const { data, app } = this;
    if (!data) return;
    const mask = inside(data.x, data.y, polygon);
    const text = this.controls.text;
    const found = text ? data.matching(text) : null;
    const before = isMore && app.selection.count ? data.maskOf(app.selection.groups) : null;
    for (let row = 0; row < data.length; row += 1) {
      if (found && !found[row]) mask[row] = 0;
      if (before?.[row]) mask[row] = 1;
    }
    app.selection.set(data.groupsOf(mask), "lasso on the map");
  }

  selectFound() {
    const { data, app } = this;
    const text = this.controls.text;
    if (data && text) app.selection.set(data.groupsOf(data.matching(text)), `"${text}" on the map`);
  }

  /**
   * Select the images of a value of the legend; again, clear the selection.
   * @param {number} value
   * @param {string} label
   */
  pressLegend(value, label) {
    const { data, app } = this;
    if (!data) return;
    if (app.selection.label === label) {
      app.selection.clear();
      return;
    }
    const values = { class: data.classOf, cluster: data.marks.cluster, kept: data.marks.kept }[this.controls.coloring];
    const mask = Uint8Array.from(values ?? [], (one) => (one === value ? 1 : 0));
    app.selection.set(data.groupsOf(mask), label);
  }

  /** @param {number} row */
  pick(row) {
    const { data, app } = this;
    if (!data) return;
    app.store.go({ class_name: data.classes[data.classOf[row]], image_id: data.ids[row], tab: "inspect" });
  }

  /**
   * @param {number} row
   * @param {{ x: number, y: number }} [at]
   */
  hover(row, at) {
    const { data, layer, field } = this;
    field.classList.toggle("pointing", row >= 0);
    layer.ring("pointed", at ?? null);
    if (!data || !at || row < 0) {
      this.hoverCard.hide();
      return;
    }
    const { cluster, rank, score, standard_error: errors, box, kept } = data.marks;
    this.hoverCard.show(
      {
        id: data.ids[row],
        className: data.classes[data.classOf[row]],
        box: /** @type {Box} */ (/** @type {unknown} */ (box.subarray(4 * row, 4 * row + 4))),
        size: data.sizeOf(row),
        rank: rank[row],
        score: score[row],
        error: errors[row],
        cluster: cluster[row],
        kept: kept[row] === 1,
      },
      at,
    );
  }
}

/**
 * Say what the positions are.
 * @param {MapData} data
 */
function factsOf({ length, fitted, problem, classes }) {
  const images = `${plural(length, "image")} of ${plural(classes.length, "class", "classes")}`;
  if (problem) return `Principal components of the default patches of ${images}: UMAP cannot run here (${problem})`;
  const others = fitted < length ? `: ${count(fitted)} of them fitted, the others placed among these` : "";
  return `UMAP of the default patches of ${images}${others}`;
}
