// The chosen image, large: a map over it or in its place, its boxes, and a cursor that reads values.

import { unpack } from "../lib/arrays.js";
import { DIM } from "../lib/colors.js";
import { h, setStyle, write } from "../lib/dom.js";
import { boxOf, clamp, clampBox, fitSquare, placeBox, placeCut, proxySize, sameCorner } from "../lib/geometry.js";
import { quantityOf } from "../lib/quantities.js";

const DRAG_PX = 4;
/** @type {Record<string, [number, number]>} */
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const HELP =
  "Click or use the arrow keys to read the values of a cell. " +
  "Drag the box, or use Shift and the arrow keys, to move it; on a touch screen, tap the image first.";

/** @typedef {{ x: number, y: number }} Pixel */
/** @typedef {{ row: number, column: number }} MapCell */
/**
 * @typedef {object} Shown
 * @property {ImageResult} image
 * @property {string} url
 * @property {string} view Image, Overlay, Conditional, Unconditional or Gap
 * @property {number} opacity
 * @property {ScaleRange} range
 * @property {SelectSettings} select
 * @property {boolean} movable whether the box may be moved
 */
/**
 * @typedef {object} Drag
 * @property {boolean} onBox
 * @property {Pixel} start
 * @property {[number, number]} from
 * @property {boolean} moved
 * @property {Box | null} to
 */

/**
 * Return the map of a view.
 * @param {ImageResult} image
 * @param {string} view
 */
export function mapOf({ maps }, view) {
  return unpack(maps[/** @type {keyof ImageResult["maps"]} */ (view === "Overlay" ? "combined" : view.toLowerCase())]);
}

export class HeatMap {
  /**
   * @param {{ read(x: number, y: number): unknown, move(x: number, y: number): unknown }} handlers
   */
  constructor({ read, move }) {
    this.read = read;
    this.move = move;
    this.image = h("img", { alt: "", draggable: false });
    this.map = h("canvas", { "aria-hidden": "true" });
    this.others = h("span.others", { "aria-hidden": "true" });
    this.box = h("span.box.chosen");
    this.cut = h("span.cut-box", { hidden: true, "aria-hidden": "true" });
    this.cursor = h("span.cross", { hidden: true, "aria-hidden": "true" });
    this.tip = h("span.tip", { hidden: true, "aria-hidden": "true" });
    this.shot = h("span.shot", {}, this.image, this.map, this.others, this.cut, this.cursor, this.box, this.tip);
    const label = { "aria-label": "Chosen image", "aria-description": HELP };
    this.element = h("div.heat-map", { tabIndex: 0, role: "application", ...label }, this.shot);
    /** @type {Shown | null} */
    this.shown = null;
    /** @type {Unpacked} */
    this.gap = { values: new Float32Array(0), shape: [0, 0] };
    /** @type {MapCell | null} */
    this.cell = null;
    /** @type {Drag | null} */
    this.drag = null;
    this.listen();
  }

  listen() {
    const { shot, tip, element } = this;
    element.addEventListener("keydown", (event) => this.press(event));
    shot.addEventListener("pointerdown", (event) => this.grab(event));
    shot.addEventListener("pointermove", (event) => this.hover(event));
    shot.addEventListener("pointerup", () => this.drop());
    shot.addEventListener("pointercancel", () => {
      this.drag = null;
      this.settle();
    });
    shot.addEventListener("pointerleave", () => {
      tip.hidden = true;
    });
  }

  /**
   * Show an image with its map and its boxes.
   * @param {Shown} next
   * @param {Colors} colors
   */
  show(next, colors) {
    if (this.drag && this.shown?.image.image_id !== next.image.image_id) this.drag = null;
    this.shown = next;
    const { image, url, view } = next;
    fitSquare(this.shot, this.size);
    if (this.image.src !== url) this.image.src = url;
    this.element.setAttribute("aria-label", `Chosen image ${image.image_id}, ${view.toLowerCase()}`);
    this.gap = unpack(image.maps.gap);
    this.paintMap(next, colors);
    this.paintOthers(image.explanation);
    if (!this.drag?.onBox) this.settle();
  }

  /** @returns {Size} */
  get size() {
    return this.shown ? proxySize(this.shown.image.frame) : [1, 1];
  }

  get patch() {
    return this.shown?.image.explanation.patch ?? null;
  }

  /**
   * @param {Shown} shown
   * @param {Colors} colors
   */
  paintMap({ image, view, opacity, range, select }, colors) {
    const isOverlay = view === "Overlay";
    this.map.hidden = view === "Image";
    this.map.classList.toggle("smooth", isOverlay);
    this.map.classList.remove("dim");
    this.map.style.opacity = String(isOverlay ? opacity : 1);
    if (this.map.hidden) return;
    if (isOverlay) this.paintOverlay(mapOf(image, view), range.high, select, colors);
    else colors.draw(this.map, mapOf(image, view), range);
  }

  /**
   * Colour the image where the map is high, or darken it where the map is low.
   * @param {Unpacked} map
   * @param {number} high
   * @param {SelectSettings} select
   * @param {Colors} colors
   */
  paintOverlay(map, high, { locate }, colors) {
    const isDim = colors.palette === DIM;
    const kind = locate === "signed" && !isDim ? "signed" : "positive";
    // The square root keeps weak evidence visible; a value of 0 is transparent.
    const alpha = isDim ? (/** @type {number} */ share) => 1 - Math.sqrt(share) : Math.sqrt;
    this.map.classList.toggle("dim", isDim);
    colors.draw(this.map, map, { low: kind === "signed" ? -high : 0, high }, alpha, kind);
  }

  /** @param {Explanation} explanation */
  paintOthers({ patch, best }) {
    const numbered = best.map((one, n) => ({ box: boxOf(one.box), n }));
    const others = numbered.filter(({ box }) => !patch || !sameCorner(box, patch.box));
    const spans = others.map(({ box, n }) => {
      const span = h("span.other", {}, h("span.tag", { title: `Box ${n + 1} of the best ones.` }, n + 1));
      placeBox(span, box, this.size);
      return span;
    });
    this.others.replaceChildren(...spans);
  }

  /** Put the box at its position in the response. */
  settle() {
    if (!this.shown) return;
    this.box.classList.remove("dragged");
    this.box.hidden = !this.patch;
    if (this.patch) placeBox(this.box, this.patch.box, this.size);
    placeCut(this.cut, this.patch, this.size);
    this.box.classList.toggle("fixed", !this.isMovable());
  }

  /** Return whether the box may be moved: only the best box of an image, since the others follow from it. */
  isMovable() {
    return Boolean(this.patch && this.shown?.movable);
  }

  /** @param {PointerEvent} event */
  grab(event) {
    if (event.button || !this.shown) return;
    // A swipe over the box scrolls the page; once the image was tapped, it moves the box.
    const isSwipe = event.pointerType === "touch" && document.activeElement !== this.element;
    const onBox = event.target === this.box && this.isMovable() && !isSwipe;
    this.drag = { onBox, start: this.pixelOf(event), from: [event.clientX, event.clientY], moved: false, to: null };
    if (onBox) this.shot.setPointerCapture(event.pointerId);
  }

  /** @param {PointerEvent} event */
  hover(event) {
    if (!this.shown) return;
    const at = this.pixelOf(event);
    if (this.drag?.onBox) {
      this.pull(this.drag, event, at);
      return;
    }
    this.tip.hidden = event.pointerType === "touch";
    if (!this.tip.hidden) this.showTip(at, this.textAt(at));
  }

  /**
   * @param {Drag} drag
   * @param {PointerEvent} event
   * @param {Pixel} at
   */
  pull(drag, event, at) {
    const distance = Math.hypot(event.clientX - drag.from[0], event.clientY - drag.from[1]);
    drag.moved ||= distance > DRAG_PX;
    if (!drag.moved || !this.patch) return;
    const [x, y, width, height] = this.patch.box;
    drag.to = clampBox([x + at.x - drag.start.x, y + at.y - drag.start.y, width, height], this.size);
    this.box.classList.add("dragged");
    this.cut.hidden = true;
    placeBox(this.box, drag.to, this.size);
    this.tip.hidden = false;
    this.showTip(at, `${drag.to[0]}, ${drag.to[1]} px`);
  }

  drop() {
    const { drag } = this;
    if (!drag) return;
    this.drag = null;
    this.box.classList.remove("dragged");
    if (drag.moved && drag.to) {
      this.move(drag.to[0], drag.to[1]);
      return;
    }
    this.mark(this.cellAt(drag.start));
    this.read(drag.start.x, drag.start.y);
  }

  /**
   * @param {Pixel} at
   * @param {string} text
   */
  showTip({ x, y }, text) {
    const [width, height] = this.size;
    write(this.tip, text);
    this.tip.classList.toggle("left", x > width / 2);
    setStyle(this.tip, { "--x": x / width, "--y": y / height });
  }

  /** @param {KeyboardEvent} event */
  press(event) {
    const step = ARROWS[event.key];
    if (!step || !this.shown || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    if (event.shiftKey) this.nudge(step);
    else this.walk(step);
  }

  /**
   * Move the cursor by cells.
   * @param {[number, number]} step
   */
  walk([x, y]) {
    const [rows, columns] = this.gap.shape;
    const from = this.cell ?? { row: Math.floor(rows / 2), column: Math.floor(columns / 2) };
    const [dx, dy] = this.cell ? [x, y] : [0, 0];
    const column = clamp(from.column + dx, columns - 1);
    const row = clamp(from.row + dy, rows - 1);
    this.mark({ row, column }); // ahead of the response, so that the next key counts from here
    const [width, height] = this.size;
    this.read(((column + 0.5) / columns) * width, ((row + 0.5) / rows) * height);
  }

  /**
   * Move the box by pixels.
   * @param {[number, number]} step
   */
  nudge([dx, dy]) {
    if (!this.isMovable() || !this.patch) return;
    const [x, y, width, height] = this.patch.box;
    const to = clampBox([x + dx, y + dy, width, height], this.size);
    if (!sameCorner(to, [x, y])) this.move(to[0], to[1]);
  }

  /**
   * Put the cursor on a cell; null hides it.
   * @param {MapCell | null} cell
   */
  mark(cell) {
    this.cell = cell;
    this.cursor.hidden = !cell;
    if (!cell) return;
    const [rows, columns] = this.gap.shape;
    placeBox(this.cursor, [cell.column, cell.row, 1, 1], [columns, rows]);
  }

  /**
   * Return the pixel of the proxy under the pointer.
   * @param {PointerEvent} event
   * @returns {Pixel}
   */
  pixelOf(event) {
    const frame = this.shot.getBoundingClientRect();
    const [width, height] = this.size;
    return {
      x: clamp((event.clientX - frame.left) / frame.width, 0.99999) * width,
      y: clamp((event.clientY - frame.top) / frame.height, 0.99999) * height,
    };
  }

  /**
   * @param {Pixel} at
   * @returns {MapCell}
   */
  cellAt({ x, y }) {
    const [width, height] = this.size;
    const [rows, columns] = this.gap.shape;
    return { row: Math.floor((y / height) * rows), column: Math.floor((x / width) * columns) };
  }

  /**
   * Write the value under the pointer, in the quantity of the legend; the image alone shows that of its overlay.
   * @param {Pixel} at
   */
  textAt(at) {
    if (!this.shown) return "";
    const { image, view, select } = this.shown;
    const { row, column } = this.cellAt(at);
    const { values, shape } = mapOf(image, view === "Image" ? "Overlay" : view);
    const { name, write: text } = quantityOf(view, select);
    return `${name} ${text(values[row * shape[1] + column])}`;
  }
}
