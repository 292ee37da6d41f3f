// What maps show: the quantity of each view with its unit, the same for the legend and for the value under the pointer.

import { number, percent, withError } from "./format.js";

const LOSS = "mean squared error per cell";

/** The unit of scores and of the gaps that they are means of. */
export const UNIT = "% of the mean loss";

/** What the unit means, for tooltips and the help. */
export const MEAN_LOSS =
  "The mean loss is the loss at the same timestep with the class named, averaged over all images of the run.";

/**
 * @typedef {object} Quantity
 * @property {string} name
 * @property {string} caption of the legend
 * @property {(value: number | null) => string} write
 */

/** @type {Record<string, Quantity>} */
const OF_VIEW = {
  Conditional: {
    name: "conditional loss",
    caption: `conditional loss: ${LOSS}, with the class named`,
    write: number,
  },
  Unconditional: {
    name: "unconditional loss",
    caption: `unconditional loss: ${LOSS}, with the null prompt`,
    write: number,
  },
  Gap: { name: "gap", caption: "gap: unconditional − conditional loss, per cell", write: number },
  Difference: {
    name: "difference",
    caption:
      "difference: squared difference of the two predictions per cell; large where the name matters, right or wrong",
    write: number,
  },
};

/**
 * Name the map that locates the patch.
 * @param {Pick<SelectSettings, "locate" | "smooth">} select
 */
export function locatingMap({ locate, smooth }) {
  const name = locate === "difference" ? "difference" : `${locate} gap`;
  return smooth ? `smoothed ${name}` : name;
}

/**
 * Return the quantity that a view of the heat map shows; the overlay shows what the box search uses.
 * @param {string} view
 * @param {Pick<SelectSettings, "locate" | "smooth">} select
 * @returns {Quantity}
 */
export function quantityOf(view, select) {
  const name = locatingMap(select);
  const caption = `${name}, in ${UNIT}; the patch is where it is largest`;
  return OF_VIEW[view] ?? { name, caption, write: percent };
}

/**
 * Write a share of the mean loss with its unit, and with its standard error where it is known.
 * @param {number | null | undefined} share
 * @param {number | null} [error]
 */
export function withUnit(share, error) {
  if (share == null || !Number.isFinite(share)) return percent(share);
  if (!error) return `${percent(share)} of the mean loss`;
  return `${withError(100 * share, 100 * error)} % of the mean loss`;
}

/** What the other figures of a patch are, for tooltips; counts have no unit. */
export const FIGURE_HELP = {
  rank: "Its place among all ranked patches of the class, from 1; the IPC first ones are kept.",
  cluster: "The k-means cluster of its features among the patches of the class; numbers have no order.",
  kept: "The distilled image that it is part of, from 1.",
  patch: "Sides and corner in pixels of the upright source image: those of the proxy, scaled to the source.",
  source: "Width and height of the source image in pixels.",
};
