// Maps of values as colours, their legends, and the colours of clusters.

import { unpack } from "./arrays.js";
import { h } from "./dom.js";
import { number } from "./format.js";
import { recall, remember } from "./storage.js";

export const CLUSTER_COLORS = [
  "#4e79a7",
  "#f28e2b",
  "#59a14f",
  "#e15759",
  "#b07aa1",
  "#76b7b2",
  "#c9a227",
  "#ff9da7",
  "#9c755f",
  "#8e8e99",
];

/**
 * Return the colour of a cluster; the palette repeats.
 * @param {number} cluster
 */
export function clusterColor(cluster) {
  return CLUSTER_COLORS[cluster % CLUSTER_COLORS.length];
}

const KEY = "dsel-palette";
/** The palette that darkens the image where a map is low, in place of colouring it where it is high. */
export const DIM = "dim";
const NIGHT = "rgb(11 15 22)";
/** @type {[number, string][]} */
const DIM_STOPS = [
  [0, "#0b0f16"],
  [1, "#b9bec6"],
];
/** @type {Record<string, string>} */
export const PALETTES = {
  red: "Red and blue",
  viridis: "Viridis",
  cividis: "Cividis",
  inferno: "Inferno",
  [DIM]: "Dim what is cold",
};

/**
 * Create what draws maps, from the colour tables of each palette that Python sends.
 * @param {Record<string, Record<TableKind, Packed>>} palettes
 * @returns {Colors}
 */
export function createColors(palettes) {
  let palette = recall(KEY) ?? "";
  if (!(palette in PALETTES)) palette = Object.keys(PALETTES)[0];
  return {
    get palette() {
      return palette;
    },
    choose,
    table: tableOf,
    draw,
    gradient,
    stops,
    legend,
  };

  /**
   * Draw with another palette from now on, also on later visits.
   * @param {string} name
   */
  function choose(name) {
    palette = name;
    remember(KEY, name);
  }

  /**
   * Return the 256 colours of a scale, three bytes each.
   * @param {TableKind} kind
   * @param {string} [name] of the palette
   */
  function tableOf(kind, name = palette) {
    const tables = palettes[name] ?? palettes[Object.keys(palettes)[0]];
    return unpack(tables[kind]).values;
  }

  /**
   * Draw a map (h, w) on a canvas, one pixel per cell; alpha is a function of the distance from 0 on the scale.
   * @param {HTMLCanvasElement} canvas
   * @param {Unpacked} map
   * @param {ScaleRange} range
   * @param {((share: number) => number) | null} [alpha]
   * @param {TableKind} [kind]
   */
  function draw(canvas, { values, shape }, range, alpha = null, kind = kindOf(range)) {
    const [rows, columns] = shape.slice(-2);
    resize(canvas, columns, rows);
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    const image = context.createImageData(columns, rows);
    const table = tableOf(kind);
    for (let cell = 0; cell < rows * columns; cell += 1) {
      const share = shareOf(values[cell], range);
      const color = 3 * Math.round(255 * share);
      for (let channel = 0; channel < 3; channel += 1) image.data[4 * cell + channel] = table[color + channel];
      image.data[4 * cell + 3] = alpha ? Math.round(255 * alpha(range.low < 0 ? Math.abs(2 * share - 1) : share)) : 255;
    }
    context.putImageData(image, 0, 0);
  }

  /**
   * Return the colour scale as a CSS gradient.
   * @param {TableKind} kind
   */
  function gradient(kind) {
    if (palette === DIM && kind === "positive") return `linear-gradient(90deg, ${NIGHT}, transparent), #b9bec6`;
    const colors = stopsOf(tableOf(kind)).map(([, color]) => color);
    return `linear-gradient(90deg, ${colors.join()})`;
  }

  /**
   * Return the colour scale for files, where nothing lies below a transparent colour.
   * @param {TableKind} kind
   * @returns {[number, string][]}
   */
  function stops(kind) {
    return palette === DIM && kind === "positive" ? DIM_STOPS : stopsOf(tableOf(kind));
  }

  /**
   * Create a legend: the scale, its ends, its middle, and what it measures.
   * @param {ScaleRange} range
   * @param {string} label
   * @param {(value: number) => string} [write]
   * @param {TableKind} [kind]
   */
  function legend({ low, high }, label, write = number, kind = kindOf({ low, high })) {
    const ticks = ticksOf({ low, high }, write).map((text) => h("span", {}, text));
    return h(
      "figure.legend",
      {},
      h("div.bar", { style: { background: gradient(kind) } }),
      h("div.ticks", { title: label }, ticks),
      h("figcaption", {}, label),
    );
  }
}

/**
 * Return 17 colours of a table, evenly apart, with their places from 0 to 1.
 * @param {Unpacked["values"]} table
 * @returns {[number, string][]}
 */
function stopsOf(table) {
  return Array.from({ length: 17 }, (_, n) => {
    const at = 3 * Math.round((n * 255) / 16);
    return [n / 16, `rgb(${[...table.subarray(at, at + 3)].join()})`];
  });
}

/**
 * Write the ends and the middle of a scale.
 * @param {ScaleRange} range
 * @param {(value: number) => string} write
 */
export function ticksOf({ low, high }, write) {
  return [low === 0 ? "0" : write(low), low < 0 ? "0" : write((low + high) / 2), write(high)];
}

/**
 * @param {ScaleRange} range
 * @returns {TableKind}
 */
export function kindOf({ low }) {
  return low < 0 ? "signed" : "unsigned";
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {number} width
 * @param {number} height
 */
function resize(canvas, width, height) {
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
}

/**
 * Return where a value is on a scale, from 0 to 1; what is no number counts as 0.
 * @param {number} value
 * @param {ScaleRange} range
 */
function shareOf(value, { low, high }) {
  const finite = Number.isFinite(value) ? value : Math.max(low, 0);
  return Math.min(Math.max((finite - low) / Math.max(high - low, 1e-12), 0), 1);
}

/**
 * Return the range of some values: symmetric around 0, or from the least to the greatest.
 * @param {Iterable<number>} values
 * @param {boolean} signed
 * @returns {ScaleRange}
 */
export function rangeOf(values, signed) {
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return signed ? symmetric({ low, high }) : { low: Math.max(low, 0), high };
}

/**
 * Return a range around 0 that contains another one.
 * @param {ScaleRange} range
 * @returns {ScaleRange}
 */
export function symmetric({ low, high }) {
  const end = Math.max(Math.abs(low), Math.abs(high), 1e-12);
  return { low: -end, high: end };
}
