// The chosen image's name and position, its overrides, the sentence that explains its patch, and the facts.

import { clusterColor } from "../lib/colors.js";
import { fill, h, icon, iconButton, write } from "../lib/dom.js";
import { count, number } from "../lib/format.js";
import { ICONS } from "../lib/icons.js";

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
    const rows = factsOf(image).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)));
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
 * @returns {[string, any][]}
 */
function factsOf({ explanation: { patch, placement }, frame }) {
  const source = `${frame.source_width} × ${frame.source_height} px`;
  if (!patch || !placement) return [["source", source]];
  const { x, y, width, height } = patch.source_box;
  /** @param {number} value */
  const whole = (value) => count(Math.round(value));
  const dot = h("span.dot", { style: { "--cluster": clusterColor(patch.cluster) } });
  return [
    ["score", number(patch.score)],
    ["margin", number(patch.margin)],
    ["rank", `${count(patch.rank + 1)} of ${count(placement.patches)}`],
    ["cluster", [dot, ` ${patch.cluster + 1}`]],
    ["kept", patch.kept.length ? `as image ${patch.kept.map((one) => one + 1).join(", ")}` : "no"],
    ["box in the source", `${whole(width)} × ${whole(height)} px at ${whole(x)}, ${whole(y)}`],
    ["source", source],
  ];
}
