// Images of any classes, each with its patch, figures and marks: they open in Inspect, and can be selected.

import { createList, h, iconButton, set, stylesheet } from "../lib/dom.js";
import { percentWithError } from "../lib/format.js";
import { fitSquare, placeBox } from "../lib/geometry.js";
import { ICONS } from "../lib/icons.js";
import { showImage } from "../lib/images.js";
import { SCORE_HELP, withUnit } from "../lib/quantities.js";
import { neighbour } from "./tile_keys.js";

stylesheet(new URL("./found_images.css", import.meta.url));

const HIT_WORDS = ["misses the true box", "hits the true box"];

/**
 * An image as "find" lists it. rank and cluster are -1 and box is null without a patch; hit is -1 where it is unknown;
 * `twin`: its near-duplicate; `looks`: the nearest other class, `nearer` if that is nearer than its own.
 * @typedef {object} FoundImage
 * @property {string} id
 * @property {string} class_name
 * @property {string} reason why it was skipped
 * @property {Size} size
 * @property {Box | null} box
 * @property {number | null} score
 * @property {number | null} error
 * @property {number | null} margin
 * @property {number} rank
 * @property {number} cluster
 * @property {number} hit
 * @property {boolean} kept
 * @property {boolean} pinned
 * @property {boolean} banned
 * @property {boolean} moved
 * @property {boolean} copy
 * @property {string} twin
 * @property {string} looks
 * @property {boolean} nearer
 * @property {number} [cosine] to the image that others are compared with
 */
/** @typedef {{ toggle(image: FoundImage): void, similar(image: FoundImage): void, looks(): boolean }} Acts */

export class FoundImages {
  /**
   * @param {App} app
   * @param {string} label
   * @param {Acts} acts
   */
  constructor(app, label, acts) {
    this.element = h("div.cells.found", { role: "list", "aria-label": label });
    this.cells = createList(this.element, () => new FoundCell(app, acts, (cell) => this.focus(cell, false)));
    this.element.addEventListener("keydown", (event) => this.press(event));
  }

  /** @param {FoundImage[]} images */
  show(images) {
    const cells = this.cells.resize(images.length);
    images.forEach((image, n) => {
      cells[n].show(image);
    });
    const current = cells.find((cell) => cell.element.contains(document.activeElement)) ?? cells[0];
    if (current) this.focus(current, false);
  }

  /** Mark the cells that are selected. */
  mark() {
    for (const cell of this.cells.views) cell.mark();
  }

  /**
   * Make the controls of one cell the tab stops of all.
   * @param {FoundCell} current
   * @param {boolean} withFocus
   */
  focus(current, withFocus) {
    for (const cell of this.cells.views) {
      for (const control of cell.controls) control.tabIndex = cell === current ? 0 : -1;
    }
    if (withFocus) current.button.focus();
  }

  /**
   * Move the focus between cells with the arrow keys.
   * @param {KeyboardEvent} event
   */
  press(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const cells = this.cells.views;
    const from = cells.find((cell) => cell.button === event.target);
    if (!from) return;
    const buttons = cells.map((cell) => cell.button);
    const to = event.key.startsWith("Arrow") ? neighbour(buttons, from.button, event.key) : undefined;
    const next = cells.find((cell) => cell.button === to);
    if (!next) return;
    event.preventDefault();
    event.stopPropagation();
    this.focus(next, true);
  }
}

class FoundCell {
  /**
   * @param {App} app
   * @param {Acts} acts
   * @param {(cell: FoundCell) => void} focused
   */
  constructor(app, acts, focused) {
    this.app = app;
    this.acts = acts;
    /** @type {FoundImage | null} */
    this.image = null;
    this.picture = h("img", { alt: "", draggable: false });
    this.box = h("span.box");
    this.shot = h("span.shot", {}, this.picture, this.box);
    this.reason = h("span.reason");
    this.override = h("span.badge.override");
    this.badge = h("span.badge");
    this.frame = h("span.frame", {}, this.shot, this.reason, this.override, this.badge);
    this.caption = h("span.caption");
    this.button = h("button.cell", { type: "button", onclick: () => this.open() }, this.frame, this.caption);
    this.check = h("input.found-check", { type: "checkbox", onchange: () => this.change() });
    this.similar = iconButton(ICONS.similar, "Similar patches", () => this.image && acts.similar(this.image));
    this.similar.classList.add("found-similar");
    this.controls = [this.button, this.check, this.similar];
    this.element = h("div.item.found-item", { role: "listitem" }, this.button, this.check, this.similar);
    this.element.addEventListener("focusin", () => focused(this));
  }

  /** @param {FoundImage} image */
  show(image) {
    this.image = image;
    const { id, class_name: name, reason, box, size } = image;
    const isScored = !reason;
    set(this.shot, { hidden: !isScored });
    set(this.box, { hidden: !box });
    this.reason.textContent = reason;
    if (isScored) {
      fitSquare(this.shot, size);
      if (box) placeBox(this.box, box, size);
      showImage(this.app, this.picture, id, "thumbnail", name);
    }
    this.override.textContent = overrideOf(image);
    this.badge.textContent = image.kept ? "kept" : "";
    this.caption.replaceChildren(...captionOf(image, this.acts.looks()));
    set(this.button, { title: id, disabled: !isScored, "aria-label": factsOf(image).join(", ") });
    this.button.dataset.id = id;
    this.button.classList.toggle("kept", image.kept);
    for (const control of [this.check, this.similar]) set(control, { hidden: !isScored });
    this.check.setAttribute("aria-label", `Select ${id}`);
    this.similar.setAttribute("aria-label", `Patches similar to ${id}`);
    this.mark();
  }

  mark() {
    const { image } = this;
    if (image) this.check.checked = this.app.selection.of(image.class_name).includes(image.id);
  }

  change() {
    if (this.image) this.acts.toggle(this.image);
  }

  open() {
    if (!this.image) return;
    const { id, class_name } = this.image;
    this.app.store.go({ tab: "inspect", class_name, image_id: id });
  }
}

/** @param {FoundImage} image */
function overrideOf({ pinned, banned, moved, copy }) {
  if (pinned) return "pinned";
  if (banned) return "banned";
  if (copy) return "copy";
  return moved ? "moved" : "";
}

/**
 * @param {FoundImage} image
 * @param {boolean} withLooks whether to name the nearest other class of each image
 */
function captionOf({ class_name: name, reason, score, error, hit, looks, nearer, cosine }, withLooks) {
  const parts = [h("span.class", {}, name)];
  if (cosine !== undefined) parts.push(h("span.cosine", { title: "cosine of the features" }, cosine.toFixed(2)));
  if (!reason) {
    const figure = score === null ? "no patch" : percentWithError(score, error);
    parts.push(h("span.figure", { title: SCORE_HELP }, figure));
  }
  if (hit >= 0) parts.push(h("span.hit", { title: HIT_WORDS[hit], className: `hit hit-${hit}` }, hit ? "hit" : "miss"));
  if (looks && withLooks) {
    const title = nearer ? "nearer to that class than to its own" : "the nearest other class; its own is nearer";
    parts.push(h("span.looks", { title, className: nearer ? "looks nearer" : "looks" }, `like ${looks}`));
  }
  return parts;
}

/** @param {FoundImage} image */
function factsOf(image) {
  const { id, class_name: name, reason, score, error, kept, hit, twin, looks, nearer } = image;
  const facts = [id, `class ${name}`];
  if (reason) return [...facts, `skipped: ${reason}`];
  facts.push(score === null ? "no patch" : `score ${withUnit(score, error)}`);
  if (kept) facts.push("kept");
  if (overrideOf(image)) facts.push(overrideOf(image));
  if (hit >= 0) facts.push(HIT_WORDS[hit]);
  if (twin) facts.push(`near-duplicate of ${twin}`);
  if (nearer) facts.push(`looks like ${looks}`);
  return facts;
}
