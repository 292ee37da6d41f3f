// The colours of the map: by class, cluster, score, margin, kept or not, or how well the prior knows the class.

import { CLUSTER_COLORS } from "./colors.js";
import { number, percent } from "./format.js";
import { packColor, parseColor } from "./map_raster.js";

/** @typedef {import("./map_data.js").MapData} MapData */
/**
 * A colouring: the shade of each point, the colour of each shade, and the legend. Entries are values one can press,
 * `range` is a scale; `counts` are points of each entry.
 * @typedef {object} Coloring
 * @property {Uint16Array} shade
 * @property {Uint32Array} table
 * @property {{ label: string, color: string, count: number, value: number }[]} entries
 * @property {{ low: number, high: number, caption: string, write: (value: number) => string } | null} range
 */

/** The ways to colour points, and their labels. */
export const COLORINGS = [
  { value: "class", label: "Class" },
  { value: "cluster", label: "Cluster" },
  { value: "score", label: "Score" },
  { value: "margin", label: "Margin" },
  { value: "kept", label: "Kept or not" },
  { value: "auc", label: "Label AUC" },
];

const SHADES = 256;
/** The shares of values beyond the ends of a scale: a few far ones would leave all others one colour. */
const TAIL = 0.01;
const SAMPLE = 20000;
const KEPT = ["not kept", "kept"];

/** @type {Record<string, { caption: string, write: (value: number) => string }>} */
const SCALES = {
  score: { caption: "score, % of the mean loss", write: (value) => percent(value) },
  margin: { caption: "margin to the runner-up, % of the mean loss", write: (value) => percent(value) },
  auc: { caption: "label AUC of the class", write: (value) => number(value) },
};

/**
 * Colour the points.
 * @param {string} how one of `COLORINGS`
 * @param {MapData} data
 * @param {{ grey: string, ink: string, accent: string, isDark: boolean, scale: ArrayLike<number>,
 *   aucs: (number | null)[] }} look the theme, the colour table of scales, and the AUC of each class
 * @returns {Coloring}
 */
export function coloring(how, data, look) {
  if (how === "score" || how === "margin") return scaled(how, data.marks[how], look);
  const aucOf = (/** @type {number} */ index) => look.aucs[index] ?? Number.NaN;
  if (how === "auc") return scaled(how, Float32Array.from(data.classOf, aucOf), look);
  if (how === "kept") return named(data.marks.kept, KEPT, [look.grey, look.accent], look);
  if (how === "cluster") return byCluster(data, look);
  return named(data.classOf, data.classes, CLUSTER_COLORS, look);
}

/**
 * @param {MapData} data
 * @param {{ grey: string }} look
 */
function byCluster({ marks }, look) {
  let most = -1;
  for (const cluster of marks.cluster) most = Math.max(most, cluster);
  const names = Array.from({ length: most + 1 }, (_, n) => `cluster ${n + 1}`);
  return named(marks.cluster, names, CLUSTER_COLORS, look);
}

/**
 * Colour whole numbers, from 0, which have names; -1 is grey.
 * @param {ArrayLike<number>} values
 * @param {string[]} names
 * @param {string[]} colors they repeat
 * @param {{ grey: string }} look
 * @returns {Coloring}
 */
function named(values, names, colors, { grey }) {
  const table = Uint32Array.from([...colors, grey], parseColor);
  const counts = new Int32Array(names.length);
  const shade = new Uint16Array(values.length);
  for (let row = 0; row < values.length; row += 1) {
    const value = values[row];
    shade[row] = value < 0 ? colors.length : value % colors.length;
    if (value >= 0) counts[value] += 1;
  }
  const entries = names.map((label, value) => {
    return { label, value, color: colors[value % colors.length], count: counts[value] };
  });
  return { shade, table, entries: entries.filter((one) => one.count), range: null };
}

/**
 * Colour numbers by a scale; unknown ones are grey.
 * @param {string} how
 * @param {Float32Array} values
 * @param {{ grey: string, isDark: boolean, scale: ArrayLike<number> }} look
 * @returns {Coloring}
 */
function scaled(how, values, { grey, isDark, scale }) {
  const { low, high } = rangeWithoutTails(values);
  const shade = new Uint16Array(values.length);
  const span = Math.max(high - low, 1e-12);
  for (let row = 0; row < values.length; row += 1) {
    const share = (values[row] - low) / span;
    shade[row] = Number.isNaN(share) ? SHADES : Math.round((SHADES - 1) * Math.min(Math.max(share, 0), 1));
  }
  const table = new Uint32Array(SHADES + 1);
  for (let n = 0; n < SHADES; n += 1) table[n] = shadeOf(scale, n / (SHADES - 1), isDark);
  table[SHADES] = parseColor(grey);
  return { shade, table, entries: [], range: { low, high, ...SCALES[how] } };
}

/**
 * Return a colour of the scale, without the end that the background would hide.
 * @param {ArrayLike<number>} scale 256 colours of three bytes
 * @param {number} share
 * @param {boolean} isDark
 */
function shadeOf(scale, share, isDark) {
  const at = 3 * Math.round(255 * (isDark ? 0.15 + 0.85 * share : 0.92 * share));
  return packColor(scale[at], scale[at + 1], scale[at + 2]);
}

/**
 * Return the range of what is known, without the least and the greatest hundredth.
 * @param {Float32Array} values
 */
export function rangeWithoutTails(values) {
  const step = Math.max(1, Math.floor(values.length / SAMPLE));
  const known = values.filter((value, row) => row % step === 0 && Number.isFinite(value)).sort();
  if (!known.length) return { low: 0, high: 1 };
  /** @param {number} share */
  const at = (share) => known[Math.round(share * (known.length - 1))];
  return { low: at(TAIL), high: at(1 - TAIL) };
}

/**
 * Return the middle of each group of points, the largest group first.
 * @param {MapData} data
 * @param {boolean} byCluster whether clusters are labelled, or classes
 */
export function labelsOf(data, byCluster) {
  /** @type {Map<string, { text: string, rows: number[] }>} */
  const groups = new Map();
  for (let row = 0; row < data.length; row += 1) {
    const cluster = data.marks.cluster[row];
    if (byCluster && cluster < 0) continue;
    const name = data.classes[data.classOf[row]];
    const text = byCluster ? `${name} ${cluster + 1}` : name;
    const group = groups.get(text);
    if (group) group.rows.push(row);
    else groups.set(text, { text, rows: [row] });
  }
  const found = [...groups.values()].map(({ text, rows }) => {
    const row = middleOf(data, rows);
    return { text, x: data.x[row], y: data.y[row], count: rows.length };
  });
  return found.sort((a, b) => b.count - a.count);
}

/**
 * Return the point that is nearest to the medians: between the parts of a group that lies apart there may be nothing.
 * @param {MapData} data
 * @param {number[]} rows
 */
function middleOf({ x, y }, rows) {
  const [across, up] = [median(x, rows), median(y, rows)];
  const away = (/** @type {number} */ row) => (x[row] - across) ** 2 + (y[row] - up) ** 2;
  return rows.reduce((best, row) => (away(row) < away(best) ? row : best), rows[0]);
}

/**
 * @param {Float32Array} values
 * @param {number[]} rows
 */
function median(values, rows) {
  const sorted = Float32Array.from(rows, (row) => values[row]).sort();
  return sorted[sorted.length >> 1];
}
