// Settings as text: their labels, their values, and where two selections differ.

import { percent, plural } from "./format.js";
import { same } from "./links.js";
import { MEAN_LOSS, UNIT } from "./quantities.js";

/** @type {Record<string, string>} */
const OVERRIDES = { pins: "Pinned", bans: "Banned", moves: "Moved boxes" };

/**
 * Return the widget of a select setting.
 * @param {App} app
 * @param {string} name
 */
function widgetOf(app, name) {
  return app.start.widgets.select.find((one) => one.name === name);
}

/**
 * Return the label of a select setting.
 * @param {App} app
 * @param {string} name
 */
export function labelOf(app, name) {
  return widgetOf(app, name)?.label ?? OVERRIDES[name] ?? name.replaceAll("_", " ");
}

/**
 * What a select setting means, for tooltips.
 * @param {App} app
 * @param {string} name
 */
export function helpOf(app, name) {
  return widgetOf(app, name)?.help ?? "";
}

/**
 * Format the value of a select setting.
 * @param {App} app
 * @param {string} name
 * @param {SelectSettings} select
 */
export function textOf(app, name, select) {
  const value = select[name];
  if (name in OVERRIDES) return value.length ? plural(value.length, "image") : "none";
  if (name === "timesteps") return timestepsText(value, app.start.run.timesteps);
  const widget = widgetOf(app, name);
  return widget ? valueText(widget, value, select) : String(value) || "none";
}

/**
 * Format a value as its widget shows it. A value of 0 means what `shown` holds, or for the IPC.
 * @param {Widget} widget
 * @param {any} value
 * @param {SelectSettings} select
 */
export function valueText(widget, value, select) {
  const { name, unit } = widget;
  if (name === "clusters" && value === 0) return `${select.ipc} (as IPC)`;
  const number = value === 0 && widget.shown != null ? widget.shown : value;
  if (name === "discriminative_share") return number === 1 ? "all" : `top ${percent(number, 2)}`;
  if (name === "drop_lowest") return number === 0 ? "none" : percent(number, 2);
  return `${choiceLabel(widget, number)}${unit === "px" ? " px" : ""}`;
}

/**
 * Return the label of a choice.
 * @param {Widget} widget
 * @param {any} value
 */
export function choiceLabel({ choices }, value) {
  return choices.find((one) => one.value === value)?.label ?? String(value);
}

/**
 * Format timesteps as one, a range, or a part of a range; an empty list means all.
 * @param {number[]} chosen
 * @param {number[]} scored
 */
export function timestepsText(chosen, scored) {
  if (!chosen.length) return `all ${scored.length}`;
  const sorted = [...chosen].sort((a, b) => a - b);
  const [first, last] = [sorted[0], sorted[sorted.length - 1]];
  if (first === last) return String(first);
  const between = scored.filter((one) => one >= first && one <= last).length;
  return `${between === sorted.length ? "" : `${sorted.length} of `}${first} to ${last}`;
}

/**
 * Return the timesteps that the settings combine.
 * @param {SelectSettings} select
 * @param {number[]} scored
 */
export function countedTimesteps({ timesteps }, scored) {
  return timesteps.length ? scored.filter((one) => timesteps.includes(one)) : scored;
}

/**
 * Return the names of the settings in which two selections differ, in the order of the sidebar.
 * @param {App} app
 * @param {SelectSettings} a
 * @param {SelectSettings} b
 */
export function differing(app, a, b) {
  const first = app.start.widgets.select.map((one) => one.name);
  const names = [...first, ...Object.keys(app.store.defaults.select).filter((name) => !first.includes(name))];
  /** @param {string} name */
  const followsIpc = (name) => name === "clusters" && a.clusters === 0 && a.ipc !== b.ipc;
  return names.filter((name) => !same(a[name], b[name]) || followsIpc(name));
}

/**
 * Return the share of its tile's side that a cut fills: less than 1 where it keeps the scale of its picture.
 * @param {SelectSettings} select
 * @param {number} sideShare the side of the cut as a share of the shorter side of its picture
 */
export function tileShare({ tile_scale: scale, factor }, sideShare) {
  return scale === "native" ? Math.min(sideShare * factor, 1) : 1;
}

/**
 * Return why some settings change nothing at present, by name.
 * @param {SelectSettings} select
 * @param {number} resolutionPx the shorter side of the pictures
 * @returns {Record<string, string>}
 */
export function idleSettings(select, resolutionPx) {
  /** @type {Record<string, string>} */
  const idle = {};
  if (select.cut !== "context") idle.context = "Only a cut with context uses it.";
  const patch = (select.patch_px || resolutionPx / 2) / resolutionPx;
  /** @type {Record<string, number>} */
  const sides = { patch, context: Math.min(patch * select.context, 1), whole: 1 };
  const side = sides[select.cut] ?? 1;
  if (tileShare({ ...select, tile_scale: "native" }, side) >= 1) {
    idle.tile_scale = "No cut is enlarged at these settings, so both are the same.";
  }
  return idle;
}

/**
 * Return the score that ranks a patch.
 * @param {Pick<Patch, "score" | "picture_score">} patch
 * @param {SelectSettings} select
 */
export function rankingScore(patch, { rank_by: by }) {
  return by === "patch" ? patch.score : patch.picture_score;
}

/**
 * Return the standard error of the score that a patch is ranked by, null if it is unknown.
 * @param {Patch} patch
 * @param {SelectSettings} select
 */
export function rankingError(patch, { rank_by: by }) {
  return by === "patch" ? patch.standard_error : patch.picture_standard_error;
}

/** What a margin is, for a tooltip. */
export const MARGIN_HELP =
  "How far its mean on the map that locates is above that of the next best box that does not overlap.";

/** @type {Record<string, string>} */
const ORDERS = {
  baseline: "the baseline orders the patches",
  pins: "pinned patches come first",
  centroid: "the most central patch of a cluster comes first",
  turns: "clusters take turns",
};

/**
 * Write why a ranking does not follow the scores; "" where it does.
 * @param {string[]} reasons
 */
export function orderText(reasons) {
  return reasons.map((one) => ORDERS[one] ?? one).join(", ");
}

/**
 * Explain the standard error of a score, for a tooltip.
 * @param {number | null} score
 * @param {number | null} error
 */
export function errorHelp(score, error) {
  if (score == null || error == null) return "Its standard error is unknown: the draws of noise were too few.";
  const doubt = Math.abs(score) < 2 * error ? " Noise alone may explain a score this small." : "";
  return `± is the standard error over the noise that was drawn.${doubt}`;
}

/**
 * Explain how a score is computed, for a tooltip.
 * @param {SelectSettings} select
 * @param {"patch" | "picture"} region
 */
export function scoreHelp({ score, rank_by: by }, region) {
  const where = region === "patch" ? "the cells of the patch" : "all cells of the picture";
  const gap = `gap (unconditional − conditional loss), in ${UNIT}`;
  const ranks = by === region ? " Patches are ranked by it." : "";
  return `Mean over ${where} and over the timesteps of the ${score} ${gap}. ${MEAN_LOSS}${ranks}`;
}
