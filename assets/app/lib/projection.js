// The points of a class's images, and what the plot shows of each.

import { unpack } from "./arrays.js";
import { plural } from "./format.js";

/** The layout that is stored with the run: of the patches at default settings. */
export const OWN_LAYOUT = "own";

/**
 * @typedef {object} Projection the points of a layout
 * @property {string} layout
 * @property {any} settings
 * @property {boolean} fitted
 * @property {string[]} ids
 * @property {Float32Array} x
 * @property {Float32Array} y
 * @property {Map<string, number>} rows
 * @property {Map<string, Size>} sizes
 */
/**
 * @typedef {{
 *   counts: number[], cluster: any, rank: any, score: any, standard_error: any, box: any, kept: any
 * }} Marks
 */

/**
 * Unpack the points of a layout.
 * @param {{ places: Packed, sizes: Packed, layout: string, settings: any, fitted: boolean, ids: string[] }} result
 * @returns {Projection}
 */
export function unpackProjection({ places, sizes, ...rest }) {
  const { ids } = rest;
  const { values } = unpack(places);
  const sides = unpack(sizes).values;
  return {
    ...rest,
    x: Float32Array.from(ids, (_, row) => values[2 * row]),
    y: Float32Array.from(ids, (_, row) => values[2 * row + 1]),
    rows: new Map(ids.map((id, row) => [id, row])),
    sizes: new Map(ids.map((id, row) => [id, [sides[2 * row], sides[2 * row + 1]]])),
  };
}

/**
 * Unpack what the plot shows of each image.
 * @param {{ counts: number[], [name: string]: any }} result
 * @returns {Marks}
 */
export function unpackMarks({ counts, ...arrays }) {
  const values = Object.entries(arrays).map(([name, packed]) => [name, unpack(packed).values]);
  return /** @type {Marks} */ ({ counts, ...Object.fromEntries(values) });
}

/**
 * Describe a layout.
 * @param {App} app
 * @param {Projection} projection
 */
export function layoutText(app, { layout, settings, fitted }) {
  if (layout === OWN_LAYOUT)
    return fitted ? "Layout of the default patches" : "Principal components of the default patches";
  const usual = app.start.widgets.select.find((one) => one.name === "patch_px")?.shown;
  const { timesteps } = settings;
  const counted = timesteps.length ? `, ${plural(timesteps.length, "timestep")}` : "";
  return `Layout of patches of ${settings.patch_px || usual} px${counted}`;
}
