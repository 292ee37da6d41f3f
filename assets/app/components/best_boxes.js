// The best boxes of the chosen image with their scores and margins; a click chooses another box.

import { fill, h, indexOfFocus } from "../lib/dom.js";
import { number, percentColumn } from "../lib/format.js";
import { boxOf, proxySize, sameCorner } from "../lib/geometry.js";
import { locatingMap, UNIT, withUnit } from "../lib/quantities.js";
import { titleCells } from "../lib/tooltips.js";
import { createTable } from "./dialog.js";
import { PatchCrop } from "./patch_crop.js";

const ERROR_HELP = "± is the standard error over the noise that was drawn.";
const MEAN_HELP = `The mean inside the box of the map that locates, in ${UNIT}. ${ERROR_HELP}`;
const MARGIN_HELP = `How far the mean is above that of the next best box that does not overlap. ${ERROR_HELP}`;

/**
 * A listed box; n is -1 for a moved one. `errors` are those of the mean and of the margin, where they are known.
 * @typedef {{ box: Box, mean: number | null, margin: number | null, errors: (number | null)[], n: number }} Listed
 */
/**
 * @typedef {object} Handlers
 * @property {(box: Box, n: number) => unknown} choose
 * @property {(nth: number) => unknown} turn
 * @property {() => unknown} reset
 */

/**
 * Create the list; `choose(box, n)` gets a box to take, `turn(nth)` a patch to show.
 * @param {App} app
 * @param {Handlers} handlers
 */
export function createBestBoxes(app, { choose, turn, reset }) {
  const table = createTable(["", "Box", "Gap", "Margin"], []);
  const rows = table.tBodies[0];
  /** @type {PatchCrop[]} one of each row: a slider moves crops, and loads no image again */
  const crops = [];
  labelHead(table);
  const link = h("button.link", { type: "button", onclick: reset }, "Back to the best box");
  const moved = h("p.moved", { hidden: true }, h("span.badge-still", {}, "moved by hand"), link);
  const tie = h("p.hint.tie", { hidden: true });
  const none = h("p.hint", { hidden: true }, "No box: the maps of this image contain values that are not numbers.");
  const hint = h("p.hint", {});
  const label = { "aria-label": "Best boxes" };
  const element = h("section.boxes.card", label, h("h3", {}, "Best boxes"), table, tie, none, hint, moved);
  return { element, show };

  /**
   * @param {ImageResult} image
   * @param {{ isMoved: boolean, movable: boolean }} state
   */
  function show(image, { isMoved, movable }) {
    const focused = indexOfFocus(rows.querySelectorAll("button"));
    const { patch } = image.explanation;
    const { select } = app.store.state;
    const name = locatingMap(select);
    table.tHead?.querySelectorAll(".figure")[0].replaceChildren(name[0].toUpperCase() + name.slice(1));
    const list = listed(image.explanation);
    const texts = percentColumn(list.flatMap((one) => [one.mean, one.margin]));
    while (crops.length < list.length) crops.push(new PatchCrop(app));
    const made = list.map((one, n) => {
      const shown = { image, crop: crops[n], texts: texts.slice(2 * n, 2 * n + 2) };
      return createRow(app, shown, one, { choose, turn });
    });
    fill(rows, made);
    titleCells(table);
    rows.querySelectorAll("button")[focused]?.focus({ preventScroll: true });
    tie.hidden = !image.explanation.is_tie;
    tie.textContent = tieText(image.explanation);
    none.hidden = list.length > 0;
    hint.hidden = !patch || list.length < 2 || (isMoved && movable);
    hint.textContent = movable
      ? "Choose one, or drag the box on the image."
      : "Only patch 1 can be moved: the others are the best boxes that do not overlap it.";
    moved.hidden = !isMoved;
  }
}

/**
 * Say that noise alone may have put the best box before the second.
 * @param {Explanation} explanation
 */
function tieText({ best, lead_error: error, is_tie: isTie }) {
  if (!isTie) return "";
  const lead = withUnit(best[0].margin, error);
  return `Box 2 is as good as box 1, whose lead of ${lead} is less than two standard errors.`;
}

/** @param {number | null} error */
function errorText(error) {
  return error != null && h("span.soft.error", {}, `± ${number(100 * error, 2)}`);
}

/** @param {HTMLTableElement} table */
function labelHead(table) {
  const [choose, place, ...figures] = /** @type {HTMLElement[]} */ ([...table.querySelectorAll("th")]);
  choose.append(h("span.sr", {}, "Choose"));
  for (const one of figures) one.classList.add("figure");
  choose.title = "The best box is 1: each is the best of those that do not overlap the ones before it.";
  place.title = "Left and top edge of the box in the image that the prior sees, in px.";
  figures[0].title = MEAN_HELP;
  figures[1].title = MARGIN_HELP;
}

/**
 * List the best boxes, after the moved one if the patch is none of them.
 * @param {Explanation} explanation
 * @returns {Listed[]}
 */
function listed({ patch, best, mean, lead_error: lead }) {
  const list = best.map(({ box, mean, margin, standard_error: error }, n) => {
    return { box: boxOf(box), mean, margin, errors: [error, n === 0 ? lead : null], n };
  });
  if (!patch || list.some((one) => sameCorner(one.box, patch.box))) return list;
  return [{ box: patch.box, mean, margin: patch.margin, errors: [null, null], n: -1 }, ...list];
}

/**
 * @param {App} app
 * @param {{ image: ImageResult, crop: PatchCrop, texts: string[] }} shown
 * @param {Listed} one
 * @param {Pick<Handlers, "choose" | "turn">} handlers
 */
function createRow(app, { image, crop, texts }, { box, mean, errors, n }, { choose, turn }) {
  const { patch } = image.explanation;
  const isChosen = patch != null && sameCorner(box, patch.box);
  const nth = image.boxes.findIndex((one) => sameCorner(boxOf(one), box));
  const state = isChosen ? "shown" : nth >= 0 ? `patch ${nth + 1}` : patch ? "choose" : "";
  const name = n < 0 ? "moved" : String(n + 1);
  const take = () => patch && !isChosen && (nth >= 0 ? turn(nth) : choose(box, n));
  const value = `${locatingMap(app.store.state.select)} ${withUnit(mean, errors[0])}`;
  const label = `${nth >= 0 ? "Show" : "Choose"} box ${name}, at ${box[0]}, ${box[1]} px, ${value}`;
  crop.show({ id: image.image_id, box, size: proxySize(image.frame) });
  const props = { type: "button", title: label, "aria-label": label, disabled: !patch, onclick: take };
  const button = h("button.take", { ...props, "aria-pressed": String(isChosen) }, crop.element);
  /** @param {MouseEvent} event */
  const onclick = ({ target }) => /** @type {HTMLElement} */ (target).closest("button") || take();
  return h(
    "tr",
    { className: isChosen ? "chosen" : "", onclick },
    h("td", {}, button),
    h("td", {}, name, " ", h("span.soft", {}, state)),
    texts.map((text, at) => h("td.figure", {}, text, errorText(errors[at]))),
  );
}
