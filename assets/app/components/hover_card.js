// The card beside the point under the pointer.

import { fill, h, stylesheet } from "../lib/dom.js";
import { withUnit } from "../lib/quantities.js";
import { clusterMark } from "./cluster_mark.js";
import { PatchCrop } from "./patch_crop.js";

stylesheet(new URL("./hover_card.css", import.meta.url));

const GAP_PX = 14;
const EDGE_PX = 4;

/**
 * @typedef {object} Point
 * @property {string} id
 * @property {Box} box
 * @property {Size} size
 * @property {number} rank
 * @property {number} score
 * @property {number} error the score's standard error, NaN if it is unknown
 * @property {number} cluster -1 for an image without a patch
 * @property {boolean} kept
 * @property {string} [className] where points are of several classes
 */

/**
 * Create the card inside the plot.
 * @param {App} app
 * @param {HTMLElement} plot
 */
export function createHoverCard(app, plot) {
  const crop = new PatchCrop(app);
  const text = h("div.hover-text");
  const element = h("div.hover-card", { hidden: true }, crop.element, text);
  plot.append(element);
  return {
    hide() {
      element.hidden = true;
    },
    /**
     * @param {Point} point
     * @param {{ x: number, y: number }} at position in the plot, in CSS pixels
     */
    show(point, at) {
      const hasPatch = point.cluster >= 0;
      crop.element.hidden = !hasPatch;
      if (hasPatch) crop.show(point, point.className);
      fill(text, h("p.name", {}, point.id), hasPatch ? patchFacts(point) : soft(reason(app, point.id)));
      element.hidden = false;
      place(element, plot, at);
    },
  };
}

/**
 * @param {App} app
 * @param {string} id of an image without a patch
 */
function reason({ store }, id) {
  const { bans } = store.state.select;
  return bans.includes(id) ? "no patch: the image is banned" : "no patch: another image has the same pixels";
}

/** @param {string} text */
function soft(text) {
  return h("p.soft", {}, text);
}

/** @param {Point} point */
function patchFacts({ cluster, rank, score, error, kept, className }) {
  const mark = h(
    "p.of-cluster",
    {},
    clusterMark(cluster),
    `${className ? `${className}, ` : ""}cluster ${cluster + 1}`,
  );
  return [mark, soft(`rank ${rank + 1} · score ${withUnit(score, error)}`), kept && soft("kept")];
}

/**
 * Put the card beside a point, inside the plot.
 * @param {HTMLElement} card
 * @param {HTMLElement} plot
 * @param {{ x: number, y: number }} at
 */
function place(card, plot, at) {
  const { offsetWidth: width, offsetHeight: height } = card;
  const right = at.x + GAP_PX;
  const left = right + width > plot.clientWidth ? at.x - GAP_PX - width : right;
  const top = Math.min(Math.max(at.y - height / 2, EDGE_PX), plot.clientHeight - height - EDGE_PX);
  Object.assign(card.style, { left: `${Math.max(left, EDGE_PX)}px`, top: `${top}px` });
}
