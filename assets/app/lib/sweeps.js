// A sweep as a heat map: two settings as axes, one figure as colour, and the other settings held at one value each.

import { same } from "./links.js";

/** @typedef {Record<string, any>} Cell settings and figures by name */
/** @typedef {{ name: string, settings: string[], figures: string[], cells: Cell[] }} Sweep */
/** @typedef {{ across: string, down: string, figure: string, held: Record<string, any> }} Axes */

/** Figures of which less is better; of all others, more is. */
const LESS_IS_BETTER = ["coverage_distance", "near_duplicates"];

/**
 * Return whether a lower value of a figure is the better one.
 * @param {string} figure
 */
export function isLessBetter(figure) {
  return LESS_IS_BETTER.includes(figure);
}

/**
 * Return the distinct values of a setting: numbers in ascending order, others in the order of the cells.
 * @param {Cell[]} cells
 * @param {string} setting
 */
export function valuesOf(cells, setting) {
  /** @type {any[]} */
  const values = [];
  for (const cell of cells) if (!values.some((one) => same(one, cell[setting]))) values.push(cell[setting]);
  return values.every((one) => typeof one === "number") ? values.sort((a, b) => a - b) : values;
}

/**
 * Return the cell with the best value of a figure, or undefined if none has a value.
 * @param {Cell[]} cells
 * @param {string} figure
 * @returns {Cell | undefined}
 */
export function bestCell(cells, figure) {
  const sign = isLessBetter(figure) ? -1 : 1;
  const known = cells.filter((cell) => cell[figure] != null);
  return known.reduce((best, cell) => (sign * cell[figure] > sign * best[figure] ? cell : best), known[0]);
}

/**
 * Return axes for a sweep: its first two settings, and the others held at the values of the best cell.
 * @param {Sweep} sweep
 * @param {Partial<Axes>} [wanted] axes that are kept where the sweep has them
 * @returns {Axes}
 */
export function axesFor({ settings, figures, cells }, wanted = {}) {
  const figure = figures.find((one) => one === wanted.figure) ?? figures.at(-1) ?? "";
  const across = settings.find((one) => one === wanted.across) ?? settings[0];
  const others = settings.filter((one) => one !== across);
  const down = others.find((one) => one === wanted.down) ?? others[0] ?? "";
  const best = bestCell(cells, figure) ?? cells[0] ?? {};
  const rest = others.filter((one) => one !== down);
  const held = Object.fromEntries(rest.map((name) => [name, wanted.held?.[name] ?? best[name]]));
  return { across, down, figure, held };
}

/**
 * Arrange the cells in rows and columns; a place without a cell is undefined.
 * @param {Sweep} sweep
 * @param {Axes} axes
 */
export function gridOf({ cells }, { across, down, held }) {
  const shown = cells.filter((cell) => Object.entries(held).every(([name, value]) => same(cell[name], value)));
  const columns = valuesOf(cells, across);
  const rows = down ? valuesOf(cells, down) : [null];
  const grid = rows.map((row) =>
    columns.map((column) => shown.find((cell) => same(cell[across], column) && (!down || same(cell[down], row)))),
  );
  return { columns, rows, grid };
}

/**
 * Return where a value is between the least and the greatest of a figure, from 0 to 1; 1 is the best.
 * @param {Cell[]} cells
 * @param {string} figure
 * @returns {(value: number) => number}
 */
export function scaleOf(cells, figure) {
  const values = cells.map((cell) => cell[figure]).filter((value) => value != null);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const isLess = isLessBetter(figure);
  return (value) => {
    const share = high > low ? (value - low) / (high - low) : 1;
    return isLess && high > low ? 1 - share : share;
  };
}
