// What one can choose in the map: colours, names, how points are drawn, and what the search highlights.

import { h, write } from "../lib/dom.js";
import { plural } from "../lib/format.js";
import { COLORINGS } from "../lib/map_colors.js";
import { recall, remember } from "../lib/storage.js";
import { createPlotTools } from "./plot_tools.js";

const COLOR_KEY = "dsel-map-color";
const NAMES_KEY = "dsel-map-names";
const STYLE_CHOICES = { auto: "Automatic", points: "Points", density: "Density" };
const NAME_CHOICES = { classes: "Class names", clusters: "Cluster names", none: "No names" };

/** @typedef {{ paint(): void, restyle(): void, selectFound(): void }} Actions */

/** The controls of a plot; the browser remembers colours and names. */
export class MapControls {
  /**
   * @param {App} app
   * @param {import("./map_plot.js").MapPlot} plot
   * @param {Actions} actions
   */
  constructor(app, plot, { paint, restyle, selectFound }) {
    const hasAuc = app.start.classes.some((one) => one.knowledge?.auc != null);
    const colorings = Object.fromEntries(COLORINGS.map(({ value, label }) => [value, label]));
    if (!hasAuc) delete colorings.auc;
    this.how = createSelect("Colour by", colorings, COLOR_KEY, paint);
    this.named = createSelect("Names", NAME_CHOICES, NAMES_KEY, paint);
    this.style = createSelect("Draw", STYLE_CHOICES, "", () => {
      plot.style = this.style.value;
      plot.redraw();
    });
    this.search = h("input", { type: "search", placeholder: "Search ids and classes", "aria-label": "Search the map" });
    this.search.addEventListener("input", restyle);
    this.search.addEventListener("keydown", (event) => event.key === "Enter" && selectFound());
    this.found = h("span.soft", { role: "status" });
    this.select = h("button.button", { type: "button", hidden: true, onclick: selectFound }, "Select");
    this.tools = createPlotTools(() => zoomable(plot), ["pan", "lasso"]);
    this.searchLine = h("span.map-search", {}, this.search, this.found, this.select);
  }

  /** How points are coloured, one of `COLORINGS`. */
  get coloring() {
    return this.how.value;
  }

  /** What is named: classes, clusters or none. */
  get names() {
    return this.named.value;
  }

  /** What is searched for. */
  get text() {
    return this.search.value.trim();
  }

  get fields() {
    const all = [this.how, this.named, this.style];
    return all.map((select) => h("label.map-choice", {}, h("span", {}, select.ariaLabel), select));
  }

  /**
   * Say how many images were found.
   * @param {Uint8Array | null} mask null if nothing is searched for
   */
  showFound(mask) {
    const matches = mask ? mask.reduce((sum, one) => sum + one, 0) : 0;
    write(this.found, mask ? plural(matches, "match", "matches") : "");
    this.select.hidden = !matches;
  }
}

/**
 * Let the tools zoom, whose factors are of the ranges that are seen.
 * @param {import("./map_plot.js").MapPlot} plot
 */
function zoomable(plot) {
  return {
    setDragMode: (/** @type {string} */ mode) => plot.setDragMode(mode),
    zoom: (/** @type {number} */ by) => plot.zoom(1 / by),
    reset: () => plot.reset(),
  };
}

/**
 * Create a list to choose from.
 * @param {string} label
 * @param {Record<string, string>} choices
 * @param {string} key by which the browser remembers the choice; empty for none
 * @param {() => void} changed
 */
function createSelect(label, choices, key, changed) {
  const options = Object.entries(choices).map(([value, text]) => h("option", { value }, text));
  const onchange = () => {
    if (key) remember(key, select.value);
    changed();
  };
  const select = h("select", { "aria-label": label, onchange }, options);
  const remembered = (key && recall(key)) || "";
  if (remembered in choices) select.value = remembered;
  return select;
}
