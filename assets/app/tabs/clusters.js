// The Clusters tab: a class's patches as points, their clusters, and the gallery of the selected patches.

import { createClusterCards, createClusterLegend } from "../components/cluster_cards.js";
import { Gallery, markCurrent } from "../components/gallery.js";
import { createHoverCard } from "../components/hover_card.js";
import { createPlotTools } from "../components/plot_tools.js";
import { ScatterPlot } from "../components/scatter_plot.js";
import { unpack } from "../lib/arrays.js";
import { empty, fill, h, icon, stylesheet } from "../lib/dom.js";
import { plural } from "../lib/format.js";
import { ICONS } from "../lib/icons.js";
import { loadPlotly, onThemeChange } from "../lib/plotly.js";
import { layoutText, OWN_LAYOUT, unpackMarks, unpackProjection } from "../lib/projection.js";

const SETTLE_MS = 250;
const POLL_MS = 700;
const TITLE = "UMAP of this class's patches";
const DESCRIPTION =
  "Patches of this class as points: patches with similar features are close together, and the colour is the cluster. " +
  "With a keyboard, select clusters and images in the legend, the gallery and the cards below.";

stylesheet(new URL("./clusters.css", import.meta.url));

/** @type {Tab} */
export const tab = { mount: (root, app) => new ClustersTab(root, app) };

/** @typedef {import("../lib/projection.js").Projection} Projection */
/** @typedef {import("../lib/projection.js").Marks} Marks */
/** @typedef {{ name: string, ready: boolean, failed: string }} LayoutStatus */
/**
 * @typedef {object} Selection
 * @property {number} cluster -1 for all clusters
 * @property {number[] | null} polygon the lasso
 * @property {string} layout the layout that the lasso was drawn on
 * @property {ArrayLike<number> | null} mask 1 for each image inside the lasso
 * @property {number[] | null} counts patches inside the lasso, by cluster
 */

/** @returns {Selection} */
const nothingSelected = () => ({ cluster: -1, polygon: null, layout: OWN_LAYOUT, mask: null, counts: null });

class ClustersTab {
  /**
   * @param {HTMLElement} root
   * @param {App} app
   */
  constructor(root, app) {
    this.app = app;
    /** @type {Projection | null} */
    this.projection = null;
    /** @type {Marks | null} */
    this.marks = null;
    /** @type {ScatterPlot | null} */
    this.plot = null;
    this.selection = nothingSelected();
    this.turn = 0;
    this.opening = 0;
    this.legend = createClusterLegend((cluster) => this.toggleCluster(cluster));
    this.cards = createClusterCards(app, {
      cluster: (cluster) => this.toggleCluster(cluster),
      image: (id) => this.pickImage(id),
    });
    this.gallery = new Gallery(app, { title: "All patches", filter: () => this.galleryFilter() });
    this.field = h("div.plot-field");
    this.hoverCard = createHoverCard(app, this.field);
    this.blank = h("div.plot-blank", { hidden: true }, empty("No points", "No image of this class was scored."));
    this.loading = h("p.plot-loading", { role: "status" }, "Loading the plot …");
    this.selected = h("p.selected", { "aria-live": "polite" });
    this.act = h("button.link", { type: "button", hidden: true, onclick: () => this.selectImages() }, "Act on these");
    this.act.title = "Select these images to pin, ban, list, copy or keep them together";
    this.clearButton = h("button.quiet", { type: "button", title: "Clear the selection (Escape)", hidden: true });
    fill(this.clearButton, icon(ICONS.close), "Clear");
    this.layoutLine = h("p.layout-line.soft", { role: "status" });
    fill(root, this.createLayout());
    this.listen();
  }

  createLayout() {
    const { field, blank, loading, selected, act, clearButton, layoutLine, legend, gallery, cards } = this;
    const tools = createPlotTools(() => this.plot);
    const head = h("div.bar-line", {}, h("h2", {}, TITLE), h("span.grow"), tools);
    const figure = h("figure.plot", { "aria-label": DESCRIPTION }, field, blank, loading);
    const status = h("div.bar-line.selection-line", {}, selected, act, clearButton, h("span.grow"), layoutLine);
    const plot = h("section.projection", { "aria-label": TITLE }, head, figure, status, legend.element);
    const clusters = h("section.clusters-part", { "aria-label": "Clusters" }, h("h2", {}, "Clusters"), cards.element);
    return h("div.clusters-tab", {}, plot, gallery.element, clusters);
  }

  listen() {
    const { app, gallery, clearButton } = this;
    clearButton.addEventListener("click", () => this.clear());
    gallery.element.addEventListener("change", ({ target }) => {
      // The gallery's list of clusters selects in the plot, too.
      const { ariaLabel } = /** @type {HTMLElement} */ (target);
      if (ariaLabel === "Cluster") this.setCluster(gallery.listing.cluster);
    });
    /** @param {Event} event */
    const point = ({ target }) => {
      const cell = /** @type {HTMLElement} */ (target).closest(".cell");
      this.pointAt(/** @type {HTMLElement | null} */ (cell)?.dataset.id ?? "");
    };
    for (const kind of ["mouseover", "focusin"]) gallery.element.addEventListener(kind, point);
    for (const kind of ["mouseleave", "focusout"]) gallery.element.addEventListener(kind, () => this.pointAt(""));
    const before = app.keys.get("Escape");
    app.keys.set("Escape", (event) => (app.store.state.tab === "clusters" ? this.clear() : before?.(event)));
    onThemeChange(() => this.plot?.updateTheme());
  }

  /** @param {Change} change */
  async show(change) {
    if (change.has("image_id") || change.has("tab")) this.showChosen();
    const moved = change.has("run") || change.has("class_name");
    if (moved || !this.projection) await this.load();
    else if (change.has("select")) {
      await Promise.all([this.updateMarks(), this.showCards(), this.gallery.show(), this.updateLasso()]);
    }
    if (moved || change.has("select") || change.has("tab")) {
      this.followLayout(moved || change.has("tab") ? 0 : SETTLE_MS);
    }
  }

  hide() {
    this.turn += 1;
    this.hoverCard.hide();
  }

  /** Open another class, and show that it is loading until its points are drawn. */
  async load() {
    this.opening += 1;
    const { opening } = this;
    this.loading.hidden = false;
    try {
      await this.open();
    } finally {
      if (opening === this.opening) this.loading.hidden = true;
    }
  }

  /** Draw the points of the class once, and everything beside them. */
  async open() {
    const { app } = this;
    this.turn += 1;
    this.forgetSelection();
    const others = Promise.all([this.gallery.show(), this.showCards()]);
    others.catch(() => {}); // where the plot fails as well, its error is shown
    const [Plotly, status] = await Promise.all([
      loadPlotly(app.files.plotly),
      app.latest("layout", () => app.ask("layout_status")),
    ]);
    if (!status) return;
    const layout = status.ready ? status.name : OWN_LAYOUT;
    const both = () => Promise.all([app.ask("projection", { layout }), app.ask("marks")]);
    const results = await app.latest("projection", both);
    if (!results) return;
    this.projection = unpackProjection(results[0]);
    this.marks = unpackMarks(results[1]);
    this.blank.hidden = this.projection.ids.length > 0;
    this.plot ??= new ScatterPlot(Plotly, this.field, {
      pick: (row) => this.pickImage(this.projection?.ids[row] ?? ""),
      lasso: (polygon) => this.lasso(polygon),
      hover: (row, at) => this.hover(row, at),
    });
    this.plot.place(this.projection, false);
    await this.paint();
    this.showChosen();
    await others;
  }

  /** Colour the same points by the current settings. */
  async updateMarks() {
    const result = await this.app.latest("marks", () => this.app.ask("marks"));
    if (!result || !this.projection) return;
    const marks = unpackMarks(result);
    if (marks.cluster.length !== this.projection.ids.length) return;
    this.marks = marks;
    if (this.selection.cluster >= marks.counts.length) {
      this.selection.cluster = -1;
      this.gallery.listing.cluster = -1;
    }
    await this.paint();
  }

  async showCards() {
    const result = await this.app.latest("cards", () => this.app.ask("cluster_cards"));
    if (!result) return;
    this.cards.show(result.cards);
    this.cards.mark(this.selection.cluster, this.app.store.state.image_id);
  }

  paint() {
    const { marks, projection, plot } = this;
    if (!marks || !projection || !plot) return undefined;
    this.describeSelection(marks);
    return projection.ids.length ? plot.paint(marks, (row) => this.isSelected(row)) : undefined;
  }

  /**
   * Write the text and the counts of the selection.
   * @param {Marks} marks
   */
  describeSelection({ counts: all }) {
    const { cluster, mask, counts } = this.selection;
    const inside = counts ?? all;
    const shown = cluster < 0 ? inside : all.map((_, n) => (n === cluster ? inside[n] : 0));
    const some = cluster >= 0 || mask != null;
    const where = mask ? " in the lasso" : "";
    const count = plural(sum(some ? shown : all), "patch", "patches");
    const ofCluster = cluster >= 0 ? ` of cluster ${cluster + 1}` : "";
    this.selected.textContent = some ? `${count}${ofCluster}${where} of ${sum(all)}` : `all ${count}`;
    this.clearButton.hidden = !some;
    this.act.hidden = !some;
    const title = cluster >= 0 ? `Cluster ${cluster + 1}${where}` : mask ? "In the lasso" : "All patches";
    this.gallery.heading.textContent = title;
    this.legend.show(all, some ? shown : null, cluster);
    this.cards.mark(cluster, this.app.store.state.image_id);
  }

  /** @param {number} row */
  isSelected(row) {
    const { cluster, mask } = this.selection;
    return (!mask || mask[row] === 1) && (cluster < 0 || this.marks?.cluster[row] === cluster);
  }

  /** Select the images of the lasso and the cluster, to act on them together. */
  selectImages() {
    const { projection, app, selection } = this;
    const { class_name: name } = app.store.state;
    const ids = projection?.ids.filter((_, row) => this.isSelected(row)) ?? [];
    const of = selection.cluster >= 0 ? `cluster ${selection.cluster + 1}` : "the lasso";
    app.selection.set({ [name]: ids }, `${of} of ${name}`);
  }

  galleryFilter() {
    const { polygon, layout } = this.selection;
    return polygon ? { polygon, layout } : {};
  }

  /**
   * Select a cluster, inside the lasso if there is one, or deselect it.
   * @param {number} cluster
   */
  toggleCluster(cluster) {
    this.setCluster(this.selection.cluster === cluster ? -1 : cluster);
  }

  /** @param {number} cluster */
  setCluster(cluster) {
    if (!this.marks) return;
    this.selection.cluster = cluster;
    this.app.attempt(() => Promise.all([this.gallery.refresh({ cluster, page: 0 }), this.paint()]));
  }

  /** @param {string} id */
  pickImage(id) {
    this.app.store.go({ image_id: id });
    if (!this.gallery.contains(id)) this.app.attempt(() => this.gallery.show({ holding: id }));
  }

  /**
   * Select what is inside a lasso; Python decides what that is.
   * @param {number[] | null} polygon
   */
  lasso(polygon) {
    if (!polygon || !this.projection) {
      this.clear();
      return;
    }
    this.selection = { ...nothingSelected(), polygon, layout: this.projection.layout };
    Object.assign(this.gallery.listing, { cluster: -1, page: 0 });
    this.app.attempt(() => Promise.all([this.updateLasso(), this.gallery.show()]));
  }

  async updateLasso() {
    const { polygon, layout } = this.selection;
    if (!polygon) return;
    const result = await this.app.latest("lasso", () => this.app.ask("lasso", { polygon, layout }));
    if (!result || this.selection.polygon !== polygon) return;
    const mask = unpack(result.inside).values;
    if (mask.length !== this.projection?.ids.length) return;
    Object.assign(this.selection, { mask, counts: result.counts });
    await this.paint();
  }

  clear() {
    if (!this.marks || (this.selection.cluster < 0 && !this.selection.polygon)) return;
    this.forgetSelection();
    const gallery = () => this.gallery.refresh({ cluster: -1, page: 0 });
    this.app.attempt(() => Promise.all([gallery(), this.paint(), this.plot?.clear()]));
  }

  forgetSelection() {
    this.selection = nothingSelected();
    Object.assign(this.gallery.listing, { cluster: -1, page: 0 });
  }

  /**
   * @param {number} row
   * @param {{ x: number, y: number }} [at]
   */
  hover(row, at) {
    const { marks, projection, plot } = this;
    const id = projection?.ids[row] ?? "";
    plot?.ring("pointed", row);
    for (const cell of this.gallery.cells.views) {
      cell.button.classList.toggle("pointed", id !== "" && cell.button.dataset.id === id);
    }
    if (!at || !marks || !projection || !id) {
      this.hoverCard.hide();
      return;
    }
    const [rank, score, cluster] = [marks.rank[row], marks.score[row], marks.cluster[row]];
    const box = marks.box.subarray(4 * row, 4 * row + 4);
    const size = /** @type {Size} */ (projection.sizes.get(id));
    const error = marks.standard_error[row];
    this.hoverCard.show({ id, box, size, rank, score, error, cluster, kept: marks.kept[row] === 1 }, at);
  }

  /** @param {string} id */
  pointAt(id) {
    this.plot?.ring("pointed", this.projection?.rows.get(id) ?? -1);
  }

  showChosen() {
    const { image_id: id } = this.app.store.state;
    markCurrent(this.gallery.element, id);
    this.cards.mark(this.selection.cluster, id);
    this.plot?.ring("chosen", this.projection?.rows.get(id) ?? -1);
  }

  /**
   * Poll until the layout of the current patches is ready, then move the points to it.
   * @param {number} wait
   */
  async followLayout(wait) {
    const { app } = this;
    this.turn += 1;
    const { turn } = this;
    const isOver = () => turn !== this.turn || app.store.state.tab !== "clusters";
    for (let pause = wait; ; pause = POLL_MS) {
      await new Promise((resolve) => setTimeout(resolve, pause));
      if (isOver() || !this.projection) return;
      /** @type {LayoutStatus | undefined} */
      const status = await app.attempt(() => app.ask("layout_status"));
      if (isOver() || !status) return;
      this.describeLayout(status);
      if (status.ready && status.name !== this.projection.layout) await this.moveTo(status, isOver);
      if (status.ready || status.failed) return;
    }
  }

  /**
   * @param {LayoutStatus} status
   * @param {() => boolean} isOver
   */
  async moveTo(status, isOver) {
    const result = await this.app.attempt(() => this.app.ask("projection", { layout: status.name }));
    if (!result || isOver()) return;
    const projection = unpackProjection(result);
    if (projection.ids.join() !== this.projection?.ids.join()) return;
    this.projection = projection;
    this.describeLayout(status);
    await this.plot?.place(projection, true);
    if (this.selection.polygon) await Promise.all([this.updateLasso(), this.gallery.show()]);
  }

  /** @param {LayoutStatus} status */
  describeLayout({ name, ready, failed }) {
    const { projection, layoutLine, app } = this;
    if (!projection) return;
    const pending = !ready && !failed && name !== projection.layout;
    const suffix = failed ? `; ${failed}` : pending ? "; a new one is being computed" : "";
    layoutLine.textContent = `${layoutText(app, projection)}${suffix}`;
    layoutLine.title = layoutLine.textContent;
    layoutLine.dataset.layout = projection.layout;
    layoutLine.classList.toggle("pending", pending);
  }
}

/** @param {number[]} counts */
function sum(counts) {
  return counts.reduce((total, one) => total + (one ?? 0), 0);
}
