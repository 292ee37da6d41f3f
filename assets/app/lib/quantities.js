// What maps show: the quantity of each view with its unit, the same for the legend and for the value under the pointer.

import { number, percent, withError } from "./format.js";

/** The unit of losses. */
export const LOSS = "mean squared error per cell";

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

/** What a score is, for tooltips. */
export const SCORE_HELP =
  "The mean gap (unconditional − conditional loss) inside the patch, or over the picture where that ranks, in " +
  `${UNIT}; ± is its standard error. ${MEAN_LOSS}`;

/** How far a name is behind the best one. */
export const LAG_HELP =
  "How far its score is behind that of the best name; ± is the standard error of that difference, whose noise is " +
  "shared.";

export const OPACITY_HELP = "Opacity of the map over the image, in per cent.";

/** How well patches hit the true objects. */
export const LOCALIZATION_HELP = {
  hit_rate: "Share of images whose patch hits a true box, in per cent; the tick is that of all classes.",
  coverage: "Mean share of the true box that the patch covers, in per cent; the tick is that of all classes.",
};

/** What the figures of a cluster and of a comparison are. */
export const CLUSTER_HELP = "Patches of the class in this cluster; with a selection, how many of them it has.";
export const OVERLAP_HELP =
  "Overlap of the box of A with that of B: the area that they share over the area of both, in per cent.";
export const MOVED_HELP = "Images of this cluster of A, in all clusters of B.";

/** What the figures of an export are. @type {Record<string, string>} */
export const EXPORT_HELP = {
  images: "Distilled images of all classes: at most IPC of each.",
  classes: "Classes of the run, each with a folder of its own.",
  files: "Files in the zip file, all formats together.",
  side: "Width and height of each distilled image in pixels.",
  imagesSize: "Bytes of the image files, in units of 1,000.",
  zipSize: "Bytes of the zip file, in units of 1,000.",
};

/** What the columns of an advice are. */
export const ADVICE_HELP = {
  accuracy:
    "Share of held-out images that students label right after their last step, in per cent: mean ± standard deviation.",
  p: "Probability of a difference this large between sets that are equally good (Welch's t test).",
};

/** What the other figures of a patch are, for tooltips; counts have no unit. */
export const FIGURE_HELP = {
  rank: "Its place among all ranked patches of the class, from 1; the IPC first ones are kept.",
  cluster: "The k-means cluster of its features among the patches of the class; numbers have no order.",
  kept: "The distilled image that it is part of, from 1.",
  patch: "Sides and corner in pixels of the upright source image: those of the proxy, scaled to the source.",
  source: "Width and height of the source image in pixels.",
};
