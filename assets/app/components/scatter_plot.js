// A class's images as points that are coloured, picked and selected with a lasso; drawn by plotly.js.

import { clusterColor } from "../lib/colors.js";
import { h } from "../lib/dom.js";
import { symbolOf } from "./cluster_mark.js";

const GLIDE_MS = 150;
const MARGIN = 0.06;
const WEBGL_FROM = 3000;
const MOST_CORNERS = 400;
const SIZES = { usual: 9, kept: 14, none: 6 };
const CONFIG = {
  displayModeBar: false,
  displaylogo: false,
  doubleClick: false,
  responsive: false,
  scrollZoom: true,
  showTips: false,
};
/** What dragging does at first: with a finger it scrolls the page. */
export const FIRST_MODE = matchMedia("(pointer: coarse)").matches ? "scroll" : "lasso";

/** @typedef {{ x: ArrayLike<number> & Iterable<number>, y: ArrayLike<number> & Iterable<number> }} Positions */
/** @typedef {{ cluster: any, kept: ArrayLike<number> }} Marks */
/**
 * @typedef {object} Handlers
 * @property {(row: number) => void} pick
 * @property {(polygon: number[] | null) => void} lasso
 * @property {(row: number, at?: { x: number, y: number }) => void} hover row -1 when the pointer leaves
 */

/** A plot in an element. Rows are the indices of the images in the arrays; only `place` moves the points. */
export class ScatterPlot {
  /**
   * @param {any} Plotly
   * @param {HTMLElement} element
   * @param {Handlers} handlers
   */
  constructor(Plotly, element, handlers) {
    this.Plotly = Plotly;
    this.element = element;
    this.handlers = handlers;
    this.rings = { chosen: h("span.ring.chosen"), pointed: h("span.ring.pointed") };
    this.ringRows = { chosen: -1, pointed: -1 };
    /** @type {Positions} */
    this.positions = { x: [], y: [] };
    /** @type {{ marks: Marks, isSelected: (row: number) => boolean } | null} */
    this.painted = null;
    this.drawn = false;
    this.dragMode = FIRST_MODE;
    /** @type {any} */
    this.plot = h("div.plot-canvas");
    const { pointed, chosen } = this.rings;
    element.dataset.drag = this.dragMode;
    element.append(this.plot, h("div.rings", { "aria-hidden": "true" }, pointed, chosen));
    new ResizeObserver(() => this.drawn && element.clientWidth && Plotly.Plots.resize(this.plot)).observe(element);
  }

  /**
   * Move the points; they glide where they are already drawn.
   * @param {Positions} positions
   * @param {boolean} glide
   */
  async place(positions, glide) {
    const samePoints = this.drawn && positions.x.length === this.positions.x.length;
    this.positions = positions;
    if (!samePoints || !glide) {
      this.drawn = false;
      return;
    }
    this.hideRings();
    const { Plotly, plot } = this;
    const { x, y } = positions;
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    if (still || plot.data[0].type !== "scatter") {
      await Plotly.update(plot, { x: [x], y: [y] }, axisRanges(positions), [0]);
    } else {
      const timing = {
        transition: { duration: GLIDE_MS, easing: "linear" },
        frame: { duration: GLIDE_MS, redraw: false },
      };
      await Plotly.animate(plot, { data: [{ x, y }], traces: [0], layout: nested(axisRanges(positions)) }, timing);
    }
    this.showRings();
  }

  /**
   * Colour the points; the first time, draw them.
   * @param {Marks} marks
   * @param {(row: number) => boolean} isSelected
   */
  async paint(marks, isSelected) {
    this.painted = { marks, isSelected };
    if (this.drawn) {
      await this.restyle();
      return;
    }
    this.drawn = true;
    const { x, y } = this.positions;
    const opaque = { marker: { opacity: 1 } };
    const trace = {
      type: x.length > WEBGL_FROM && hasWebGl() ? "scattergl" : "scatter",
      mode: "markers",
      x,
      y,
      hoverinfo: "none",
      marker: this.markers(marks, isSelected),
      selected: opaque,
      unselected: opaque,
      cliponaxis: false,
    };
    await this.Plotly.newPlot(this.plot, [trace], this.layout(), CONFIG);
    this.listen();
    this.showRings();
  }

  restyle(layout = {}) {
    if (!this.painted) return undefined;
    const { marks, isSelected } = this.painted;
    const style = Object.fromEntries(
      Object.entries(dotted("marker", this.markers(marks, isSelected))).map(([key, value]) => [key, [value]]),
    );
    return this.Plotly.update(this.plot, style, layout, [0]);
  }

  /**
   * @param {Marks} marks
   * @param {(row: number) => boolean} isSelected
   */
  markers({ cluster, kept }, isSelected) {
    const theme = this.theme();
    /** @type {number[]} */
    const rows = Array.from(cluster.keys());
    /** @param {number} row */
    const color = (row) => (cluster[row] < 0 || !isSelected(row) ? theme.grey : clusterColor(cluster[row]));
    /** @param {number} row */
    const outline = (row) => (!kept[row] ? theme.surface : isSelected(row) ? theme.ink : theme.soft);
    return {
      color: rows.map(color),
      opacity: 1,
      symbol: rows.map((row) => (cluster[row] < 0 ? "circle-open" : symbolOf(cluster[row]).plotly)),
      size: rows.map((row) => (cluster[row] < 0 ? SIZES.none : kept[row] ? SIZES.kept : SIZES.usual)),
      line: { width: rows.map((row) => (kept[row] ? 2 : 0.75)), color: rows.map(outline) },
    };
  }

  theme() {
    const style = getComputedStyle(this.element);
    /** @param {string} name */
    const token = (name) => style.getPropertyValue(name).trim();
    return {
      ink: token("--ink"),
      soft: token("--soft"),
      grey: token("--track"),
      surface: token("--surface"),
      accent: token("--accent"),
    };
  }

  /** Follow a change between light and dark. */
  updateTheme() {
    if (!this.drawn || !this.painted) return undefined;
    const { accent } = this.theme();
    return this.restyle({ "newselection.line.color": accent, "activeselection.fillcolor": accent });
  }

  layout() {
    const axis = { visible: false, fixedrange: false, zeroline: false, showgrid: false };
    const { accent } = this.theme();
    const { xaxis, yaxis } = nested(axisRanges(this.positions));
    return {
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      margin: { l: 0, r: 0, t: 0, b: 0 },
      showlegend: false,
      dragmode: plotlyMode(this.dragMode),
      hovermode: "closest",
      hoverdistance: 12,
      autosize: true,
      newselection: { mode: "immediate", line: { color: accent, width: 1.5, dash: "dot" } },
      activeselection: { fillcolor: accent, opacity: 0.08 },
      xaxis: { ...axis, ...xaxis },
      yaxis: { ...axis, ...yaxis, scaleanchor: "x" },
    };
  }

  listen() {
    const { plot, handlers } = this;
    /** @param {{ points: { pointNumber: number }[] }} event */
    const rowOf = ({ points }) => points[0]?.pointNumber;
    plot.on("plotly_click", (/** @type {any} */ event) => rowOf(event) !== undefined && handlers.pick(rowOf(event)));
    plot.on("plotly_hover", (/** @type {any} */ event) => {
      const row = rowOf(event);
      if (row !== undefined) handlers.hover(row, this.pixelOf(row));
    });
    plot.on("plotly_unhover", () => handlers.hover(-1));
    plot.on("plotly_selected", (/** @type {any} */ event) => {
      const polygon = event && polygonOf(event);
      if (!polygon) return;
      handlers.lasso(polygon);
      // The outline would be a handle in the way of the next lasso; the grey points show the selection.
      setTimeout(() => this.clear());
    });
    plot.on("plotly_relayout", () => this.showRings());
    plot.on("plotly_relayouting", () => this.hideRings());
    plot.on("plotly_afterplot", () => this.showRings());
    plot.on("plotly_doubleclick", () => handlers.lasso(null));
  }

  /**
   * Return where a point is in the element, in CSS pixels.
   * @param {number} row
   */
  pixelOf(row) {
    const { xaxis, yaxis } = this.plot._fullLayout;
    const { x, y } = this.positions;
    return { x: xaxis._offset + xaxis.d2p(x[row]), y: yaxis._offset + yaxis.d2p(y[row]) };
  }

  /**
   * Put a ring around a point; row -1 hides it.
   * @param {"chosen" | "pointed"} kind
   * @param {number} row
   */
  ring(kind, row) {
    this.ringRows[kind] = row;
    this.showRings();
  }

  showRings() {
    for (const kind of /** @type {const} */ (["chosen", "pointed"])) {
      const row = this.ringRows[kind];
      const visible = row >= 0 && this.plot._fullLayout?.xaxis && row < this.positions.x.length;
      this.rings[kind].hidden = !visible;
      if (!visible) continue;
      const { x, y } = this.pixelOf(row);
      this.rings[kind].style.transform = `translate(${x}px, ${y}px)`;
    }
  }

  hideRings() {
    for (const ring of Object.values(this.rings)) ring.hidden = true;
  }

  /** @param {string} mode what dragging does: lasso, select, pan or scroll */
  setDragMode(mode) {
    this.dragMode = mode;
    this.element.dataset.drag = mode;
    return this.drawn && this.Plotly.relayout(this.plot, { dragmode: plotlyMode(mode) });
  }

  /** @param {number} by */
  zoom(by) {
    const { xaxis, yaxis } = this.plot._fullLayout;
    /** @param {{ range: [number, number] }} axis */
    const scaled = ({ range: [a, b] }) => [(a + b) / 2 - ((b - a) * by) / 2, (a + b) / 2 + ((b - a) * by) / 2];
    return this.Plotly.relayout(this.plot, { "xaxis.range": scaled(xaxis), "yaxis.range": scaled(yaxis) });
  }

  reset() {
    return this.Plotly.relayout(this.plot, axisRanges(this.positions));
  }

  /** Remove the outline of a lasso. */
  clear() {
    if (!this.drawn || !this.plot.layout?.selections?.length) return undefined;
    return this.Plotly.relayout(this.plot, { selections: [] });
  }
}

/** @param {string} mode */
function plotlyMode(mode) {
  return mode === "scroll" ? false : mode;
}

/**
 * Return the corners of a selection as x, y, x, y; no more of them than a request may carry.
 * @param {{ lassoPoints?: any, range?: { x: [number, number], y: [number, number] } }} event
 */
function polygonOf({ lassoPoints, range }) {
  if (range) {
    const [[a, b], [c, d]] = [range.x, range.y];
    return [a, c, b, c, b, d, a, d];
  }
  if (!lassoPoints || lassoPoints.x.length < 3) return null;
  const step = Math.ceil(lassoPoints.x.length / MOST_CORNERS);
  return Array.from(lassoPoints.x).flatMap((x, n) => (n % step ? [] : [Number(x), Number(lassoPoints.y[n])]));
}

/** @param {Positions} positions */
function axisRanges({ x, y }) {
  return { "xaxis.range": axisRange(x), "yaxis.range": axisRange(y) };
}

/** @param {Record<string, number[]>} ranges */
function nested(ranges) {
  return { xaxis: { range: ranges["xaxis.range"] }, yaxis: { range: ranges["yaxis.range"] } };
}

/** @param {ArrayLike<number> & Iterable<number>} values */
function axisRange(values) {
  if (!values.length) return [-1, 1];
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) [low, high] = [Math.min(low, value), Math.max(high, value)];
  const margin = MARGIN * (high - low) || 1;
  return [low - margin, high + margin];
}

/**
 * Flatten nested values to plotly's dotted names.
 * @param {string} prefix
 * @param {Record<string, any>} values
 * @returns {Record<string, any>}
 */
function dotted(prefix, values) {
  const pairs = Object.entries(values).flatMap(([key, value]) => {
    const name = `${prefix}.${key}`;
    return value && value.constructor === Object ? Object.entries(dotted(name, value)) : [[name, value]];
  });
  return Object.fromEntries(pairs);
}

function hasWebGl() {
  return Boolean(document.createElement("canvas").getContext("webgl"));
}
