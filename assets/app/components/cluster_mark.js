// A cluster's mark: its colour, and beyond ten clusters another shape, in the plot and in lists alike.

import { CLUSTER_COLORS, clusterColor } from "../lib/colors.js";
import { h, svg } from "../lib/dom.js";

/** Plotly's name of each shape, and its outline in a square of 12. */
const SHAPES = [
  ["circle", "M6 1.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9z"],
  ["square", "M2 2h8v8H2z"],
  ["diamond", "M6 .8L11.2 6 6 11.2.8 6z"],
  ["triangle-up", "M6 1l5.2 9.2H.8z"],
  ["cross", "M4.3 1h3.4v3.3H11v3.4H7.7V11H4.3V7.7H1V4.3h3.3z"],
  ["triangle-down", "M6 11L.8 1.8h10.4z"],
  ["pentagon", "M6 1l5.2 3.8-2 6.2H2.8l-2-6.2z"],
  ["x", "M3.4 1L6 3.6 8.6 1 11 3.4 8.4 6 11 8.6 8.6 11 6 8.4 3.4 11 1 8.6 3.6 6 1 3.4z"],
  ["hexagon2", "M3.3 1.3h5.4L11.4 6l-2.7 4.7H3.3L.6 6z"],
  ["star", "M6 .7l1.6 3.5 3.8.4-2.8 2.6.8 3.8L6 9.1 2.6 11l.8-3.8L.6 4.6l3.8-.4z"],
].map(([plotly, path]) => ({ plotly, path }));

/**
 * Return the shape of a cluster.
 * @param {number} cluster
 */
export function symbolOf(cluster) {
  return SHAPES[Math.floor(cluster / CLUSTER_COLORS.length) % SHAPES.length];
}

/**
 * Create a cluster's mark for a list.
 * @param {number} cluster
 */
export function clusterMark(cluster) {
  const shape = svg("path", { d: symbolOf(cluster).path, fill: clusterColor(cluster) });
  return h("span.cluster-mark", { "aria-hidden": "true" }, svg("svg", { viewBox: "0 0 12 12" }, shape));
}
