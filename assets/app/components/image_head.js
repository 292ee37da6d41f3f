// The chosen image's name and position, its overrides, the sentence that explains its patch, and the facts.

import { fill, h, icon, iconButton, write } from "../lib/dom.js";
import { count } from "../lib/format.js";
import { ICONS } from "../lib/icons.js";
import { FIGURE_HELP, withUnit } from "../lib/quantities.js";
import { errorHelp, MARGIN_HELP, orderText, scoreHelp } from "../lib/settings_text.js";
import { clusterMark } from "./cluster_mark.js";

/**
 * @typedef {object} Handlers
 * @property {(by: number) => void} step
 * @property {() => void} pin
 * @property {() => void} ban
 * @property {(nth: number) => unknown} turn
 */

/**
 * Create the head of the chosen image.
 * @param {Handlers} handlers
 */
export function createImageHead({ step, pin, ban, turn }) {
  const previous = iconButton(ICONS.left, "Previous image (←)", () => step(-1));
  const next = iconButton(ICONS.right, "Next image (→)", () => step(1));
  const title = h("h2", {});
  const pinButton = toggle(ICONS.pin, "Keep this image's patch before all others (p)", pin);
  const banButton = toggle(ICONS.ban, "Never keep this image (b)", ban);
  const patches = createPatchTurns(turn);
  const sentence = h("p.sentence", { "aria-live": "polite" });
  const facts = h("dl.facts", {});
  const overrides = h("span.pair.overrides", {}, pinButton, banButton);
  const images = h("span.pair", {}, previous, next);
  const line = h("div.head-line", {}, images, title, patches.element, h("span.grow"), overrides);
  return { element: h("header.detail-head", {}, line, sentence, facts), show };

  /**
   * @param {ImageResult} image
   * @param {{ select: SelectSettings, nth: number, around: { before: string, after: string } }} state
   */
  function show(image, { select, nth, around }) {
    const { image_id: id, explanation, boxes } = image;
    title.textContent = id;
    title.title = id;
    previous.disabled = !around.before;
    next.disabled = !around.after;
    press(pinButton, select.pins.includes(id), "Pin", "Pinned");
    press(banButton, select.bans.includes(id), "Ban", "Banned");
    patches.show(boxes.length, nth);
    write(sentence, explanation.sentence);
    const rows = factsOf(image, select).map(({ name, value, help }) => {
      return h("div", { title: help ?? "" }, h("dt", {}, help ? h("abbr", {}, name) : name), h("dd", {}, value));
    });
    fill(facts, rows);
  }
}

/**
 * @param {string | string[]} paths
 * @param {string} title
 * @param {() => void} onclick
 */
function toggle(paths, title, onclick) {
  return h("button.button", { type: "button", title, onclick }, icon(paths), h("span", {}));
}

/**
 * @param {HTMLButtonElement} button
 * @param {boolean} on
 * @param {string} off
 * @param {string} done
 */
function press(button, on, off, done) {
  button.setAttribute("aria-pressed", String(on));
  const text = button.querySelector("span");
  if (text) write(text, on ? done : off);
}

/**
 * Create the buttons that switch between the patches of one image.
 * @param {(nth: number) => unknown} turn
 */
function createPatchTurns(turn) {
  let current = 0;
  const previous = iconButton(ICONS.left, "Previous patch", () => turn(current - 1));
  const next = iconButton(ICONS.right, "Next patch", () => turn(current + 1));
  const text = h("span", {});
  const element = h("span.turns", {}, previous, text, next);
  return {
    element,
    /**
     * @param {number} total
     * @param {number} nth
     */
    show(total, nth) {
      current = nth;
      element.hidden = total < 2;
      text.textContent = `patch ${nth + 1} of ${total}`;
      previous.disabled = nth === 0;
      next.disabled = nth + 1 >= total;
    },
  };
}

/**
 * @param {ImageResult} image
 * @param {SelectSettings} select
 * @returns {{ name: string, value: any, help?: string }[]}
 */
function factsOf({ explanation, frame }, select) {
  const { patch, placement, order } = explanation;
  const size = `${frame.source_width} × ${frame.source_height} px`;
  const source = { name: "source", value: size, help: FIGURE_HELP.source };
  if (!patch || !placement) return [source];
  const { x, y, width, height } = patch.source_box;
  /** @param {number} value */
  const whole = (value) => count(Math.round(value));
  return [
    {
      name: "score",
      value: withUnit(patch.score, patch.standard_error),
      help: `${scoreHelp(select, "patch")} ${errorHelp(patch.score, patch.standard_error)}`,
    },
    {
      name: "picture score",
      value: withUnit(patch.picture_score, patch.picture_standard_error),
      help: `${scoreHelp(select, "picture")} ${errorHelp(patch.picture_score, patch.picture_standard_error)}`,
    },
    { name: "margin", value: marginText(patch, explanation), help: marginHelp(explanation) },
    { name: "rank", value: rankText(placement, order), help: FIGURE_HELP.rank },
    { name: "cluster", value: [clusterMark(patch.cluster), ` ${patch.cluster + 1}`], help: FIGURE_HELP.cluster },
    { name: "kept", value: keptText(patch), help: FIGURE_HELP.kept },
    {
      name: "patch in the source",
      value: `${whole(width)} × ${whole(height)} px at ${whole(x)}, ${whole(y)}`,
      help: FIGURE_HELP.patch,
    },
    source,
  ];
}

/**
 * Write the margin, with its standard error where it is that of the best box.
 * @param {Patch} patch
 * @param {Explanation} explanation
 */
function marginText({ margin }, { place, lead_error: error }) {
  return withUnit(margin, place === 0 ? error : null);
}

/** @param {Explanation} explanation */
function marginHelp({ is_tie: isTie, place }) {
  const tie = isTie && place === 0 ? " It is less than two standard errors: the runner-up is as good." : "";
  return `${MARGIN_HELP}${tie}`;
}

/**
 * @param {Placement} placement
 * @param {string[]} order
 */
function rankText({ rank, patches }, order) {
  const reason = orderText(order);
  return `${count(rank + 1)} of ${count(patches)}${reason && ` (${reason})`}`;
}

/** @param {Patch} patch */
function keptText({ kept, dropped }) {
  if (dropped) return "no, dropped";
  return kept.length ? `as image ${kept.map((one) => one + 1).join(", ")}` : "no";
}
