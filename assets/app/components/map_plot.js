// The map's canvas: it draws the points, moves and zooms with the hand, and draws the outline of a lasso.

import { fitted, moved, pixelOf, pointAt, zoomed } from "../lib/camera.js";
import { fill, h, svg } from "../lib/dom.js";
import { drawDensity, drawDiscs, findSeen } from "../lib/map_raster.js";
import { PointGrid } from "../lib/point_grid.js";
import { thinned } from "../lib/polygons.js";
import { FIRST_MODE } from "./scatter_plot.js";

/** From so many points in view on, their density is drawn in place of each of them. */
const DENSE = 20000;
const MOST_CORNERS = 400;
const REACH_PX = 12;
const CLICK_PX = 4;
const SETTLE_MS = 140;
/** While the hand moves the view, what is drawn moves along, and is drawn again this often. */
const REDRAW_MS = 90;
const MOST_RATIO = 2;
const WHEEL = 0.0016;
const KEY_PX = 60;
const KEY_ZOOM = 1.4;
/** Radii of points in CSS pixels: the fewer are in view, the larger they are. */
const RADII = /** @type {const} */ ([
  [300, 6],
  [1500, 4.5],
  [6000, 3],
  [Infinity, 2],
]);

/** @typedef {import("../lib/map_raster.js").Points} Points */
/** @typedef {import("../lib/map_raster.js").Seen} Seen */
/** @typedef {{ table: Uint32Array, dimmed: number, outline: number, edge: number }} Look */
/** @typedef {{ x: number, y: number }} Pixel */
/**
 * @typedef {object} Handlers
 * @property {(row: number) => void} pick
 * @property {(polygon: number[], isMore: boolean) => void} lasso in the plane; `isMore` adds to the selection
 * @property {(row: number, at?: Pixel) => void} hover row -1 when no point is under the pointer
 * @property {(seen: Seen, isDense: boolean) => void} drawn
 */

/** The plot in an element. `points` may be changed in place before `redraw`. */
export class MapPlot {
  /**
   * @param {HTMLElement} element
   * @param {Handlers} handlers
   */
  constructor(element, handlers) {
    this.element = element;
    this.handlers = handlers;
    this.canvas = h("canvas.map-canvas");
    /** What moves with the view while it is not drawn again. */
    this.sheet = h("div.map-sheet", {}, this.canvas);
    this.outline = svg("path", {});
    const lasso = svg("svg.map-lasso", { "aria-hidden": "true" }, this.outline);
    element.append(this.sheet, lasso);
    this.context = /** @type {CanvasRenderingContext2D} */ (this.canvas.getContext("2d", { willReadFrequently: true }));
    /** @type {ImageData | null} */
    this.image = null;
    /** @type {Points | null} */
    this.points = null;
    /** @type {Look | null} */
    this.look = null;
    /** @type {PointGrid | null} */
    this.grid = null;
    this.camera = { x: 0.5, y: 0.5, scale: 1 };
    this.whole = this.camera;
    this.sides = { width: 0, height: 0 };
    this.style = "auto";
    this.mode = FIRST_MODE === "scroll" ? "scroll" : "pan";
    this.isMoving = false;
    this.isQueued = false;
    this.frames = 0;
    this.settling = 0;
    /** The camera that was drawn, and when. */
    this.drawn = { camera: this.camera, at: 0 };
    /** @type {Map<number, Pixel>} */
    this.fingers = new Map();
    /** @type {{ start: Pixel, isLasso: boolean, isMore: boolean, path: number[], far: boolean } | null} */
    this.drag = null;
    element.dataset.drag = this.mode;
    this.listen();
    new ResizeObserver(() => this.resize()).observe(element);
  }

  listen() {
    const { element } = this;
    /** @type {Record<string, (event: any) => void>} */
    const on = {
      pointerdown: (event) => this.press(event),
      pointermove: (event) => this.move(event),
      pointerup: (event) => this.release(event),
      pointercancel: (event) => this.cancel(event),
      pointerleave: () => this.handlers.hover(-1),
      wheel: (event) => this.wheel(event),
      dblclick: (event) => this.zoom(2, this.pixel(event)),
      keydown: (event) => this.key(event),
    };
    for (const [kind, listener] of Object.entries(on)) element.addEventListener(kind, listener, { passive: false });
  }

  /**
   * Show other points, all of them in view.
   * @param {Points} points
   */
  show(points) {
    this.points = points;
    this.grid = new PointGrid(points.x, points.y);
    this.resize();
    this.reset();
  }

  resize() {
    const { clientWidth: width, clientHeight: height } = this.element;
    if (!width || (width === this.sides.width && height === this.sides.height)) return;
    const wasWhole = this.camera === this.whole;
    this.sides = { width, height };
    if (this.points) this.whole = fitted(this.points, this.sides);
    if (wasWhole) this.camera = this.whole;
    this.redraw();
  }

  reset() {
    if (!this.points) return;
    this.whole = fitted(this.points, this.sides);
    this.camera = this.whole;
    this.redraw();
  }

  /** Draw before the next frame; what only moves may be drawn a little later. */
  redraw() {
    if (this.isQueued) return;
    this.isQueued = true;
    requestAnimationFrame((now) => {
      this.isQueued = false;
      this.frames += 1;
      if (!this.slide(now)) this.draw(now);
    });
  }

  /**
   * Move what was drawn, if the view has only moved since, and not long ago; return whether that is enough for now.
   * @param {number} now
   */
  slide(now) {
    const { camera, drawn } = this;
    if (!this.isMoving || camera.scale !== drawn.camera.scale || now - drawn.at > REDRAW_MS) return false;
    const across = (drawn.camera.x - camera.x) * camera.scale;
    const down = (camera.y - drawn.camera.y) * camera.scale;
    this.sheet.style.transform = `translate(${across}px, ${down}px)`;
    return true;
  }

  draw(now = performance.now()) {
    const { points, look, sides } = this;
    if (!points || !look || !sides.width) return;
    // While the hand moves, one pixel of the canvas is one of CSS: what is drawn in time counts.
    const ratio = this.isMoving ? 1 : Math.min(devicePixelRatio, MOST_RATIO);
    const canvas = this.pixels(ratio);
    const { x, y, scale } = this.camera;
    const seen = findSeen(canvas, points, { x, y, scale: scale * ratio });
    const isDense = this.style === "density" || (this.style === "auto" && seen.count > DENSE);
    const [, radius] = RADII.find(([most]) => seen.count <= most) ?? RADII[0];
    if (isDense) drawDensity(canvas, seen, points, look);
    else drawDiscs(canvas, seen, points, { ...look, radius: radius * ratio });
    this.context.putImageData(/** @type {ImageData} */ (this.image), 0, 0);
    this.sheet.style.transform = "";
    this.drawn = { camera: this.camera, at: now };
    this.handlers.drawn(seen, isDense);
  }

  /**
   * Return the empty pixels of the canvas.
   * @param {number} ratio
   */
  pixels(ratio) {
    const [width, height] = [Math.round(this.sides.width * ratio), Math.round(this.sides.height * ratio)];
    const { canvas, context } = this;
    if (canvas.width !== width || canvas.height !== height || !this.image) {
      Object.assign(canvas, { width, height });
      this.image = context.createImageData(width, height);
    }
    const pixels = new Uint32Array(this.image.data.buffer);
    pixels.fill(0);
    return { pixels, width, height };
  }

  /**
   * Return where a point is in the element.
   * @param {number} row
   */
  pixelOf(row) {
    const { x, y } = /** @type {Points} */ (this.points);
    return pixelOf(this.camera, this.sides, x[row], y[row]);
  }

  /** @param {string} mode what dragging does: pan, lasso or scroll */
  setDragMode(mode) {
    this.mode = mode;
    this.element.dataset.drag = mode;
  }

  /**
   * Zoom around a pixel, by default the middle.
   * @param {number} factor above 1 zooms in
   * @param {Pixel} [at]
   */
  zoom(factor, at = { x: this.sides.width / 2, y: this.sides.height / 2 }) {
    this.lookAt(zoomed(this.camera, this.sides, factor, at, this.whole));
  }

  /** @param {import("../lib/camera.js").Camera} camera */
  lookAt(camera) {
    this.camera = camera;
    this.isMoving = true;
    clearTimeout(this.settling);
    this.settling = setTimeout(() => {
      this.isMoving = false;
      this.redraw();
    }, SETTLE_MS);
    this.redraw();
  }

  /** @param {MouseEvent} event */
  pixel({ clientX, clientY }) {
    const { left, top } = this.element.getBoundingClientRect();
    return { x: clientX - left, y: clientY - top };
  }

  /** @param {WheelEvent} event */
  wheel(event) {
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 16 : 1;
    this.handlers.hover(-1);
    this.zoom(Math.exp(-WHEEL * lines * event.deltaY), this.pixel(event));
  }

  /** @param {PointerEvent} event */
  press(event) {
    if (event.button || !this.points) return;
    const start = this.pixel(event);
    this.fingers.set(event.pointerId, start);
    const isLasso = this.mode === "lasso" || event.shiftKey;
    this.drag = { start, isLasso, isMore: event.shiftKey, path: [start.x, start.y], far: false };
    if (this.fingers.size > 1) this.drag = null;
    if (this.mode !== "scroll") this.element.setPointerCapture(event.pointerId);
  }

  /** @param {PointerEvent} event */
  move(event) {
    const at = this.pixel(event);
    const before = this.fingers.get(event.pointerId);
    if (this.fingers.size > 1 && before) {
      this.pinch(event.pointerId, at);
      return;
    }
    if (!this.drag || !before) {
      if (event.pointerType !== "touch") this.hover(at);
      return;
    }
    const { start } = this.drag;
    this.drag.far ||= Math.hypot(at.x - start.x, at.y - start.y) > CLICK_PX;
    this.fingers.set(event.pointerId, at);
    if (!this.drag.far || this.mode === "scroll") return;
    this.handlers.hover(-1);
    if (this.drag.isLasso) this.extend(at);
    else this.lookAt(moved(this.camera, at.x - before.x, at.y - before.y));
  }

  /**
   * Zoom and move with two fingers.
   * @param {number} id
   * @param {Pixel} at
   */
  pinch(id, at) {
    const [other] = [...this.fingers].filter(([one]) => one !== id).map(([, place]) => place);
    const before = /** @type {Pixel} */ (this.fingers.get(id));
    const factor = Math.hypot(at.x - other.x, at.y - other.y) / Math.max(distance(before, other), 1);
    this.fingers.set(id, at);
    const middle = { x: (at.x + other.x) / 2, y: (at.y + other.y) / 2 };
    const camera = moved(this.camera, (at.x - before.x) / 2, (at.y - before.y) / 2);
    this.lookAt(zoomed(camera, this.sides, factor, middle, this.whole));
  }

  /** @param {Pixel} at */
  extend(at) {
    const { path } = /** @type {NonNullable<typeof this.drag>} */ (this.drag);
    path.push(at.x, at.y);
    const corners = Array.from({ length: path.length / 2 }, (_, n) => `${path[2 * n]},${path[2 * n + 1]}`);
    this.outline.setAttribute("d", `M${corners.join("L")}Z`);
  }

  /** @param {PointerEvent} event */
  release(event) {
    const { drag } = this;
    this.cancel(event);
    if (!drag) return;
    if (!drag.far) {
      const row = this.rowAt(this.pixel(event));
      if (row >= 0) this.handlers.pick(row);
    } else if (drag.isLasso && this.mode !== "scroll") {
      const corners = thinned(drag.path, MOST_CORNERS);
      const polygon = corners.flatMap((value, n) => {
        if (n % 2) return [];
        const { x, y } = pointAt(this.camera, this.sides, { x: value, y: corners[n + 1] });
        return [x, y];
      });
      this.handlers.lasso(polygon, drag.isMore);
    }
  }

  /** @param {PointerEvent} event */
  cancel(event) {
    this.fingers.delete(event.pointerId);
    this.drag = null;
    this.outline.removeAttribute("d");
  }

  /** @param {Pixel} at */
  hover(at) {
    const row = this.rowAt(at);
    this.handlers.hover(row, row >= 0 ? this.pixelOf(row) : undefined);
  }

  /**
   * Return the point at a pixel, or -1; those that are dimmed count where there is no other.
   * @param {Pixel} pixel
   */
  rowAt(pixel) {
    const { points, grid, camera } = this;
    if (!points || !grid) return -1;
    const { x, y } = pointAt(camera, this.sides, pixel);
    const within = REACH_PX / camera.scale;
    const bright = grid.nearest(x, y, within, (row) => points.style[row] > 1);
    return bright >= 0 ? bright : grid.nearest(x, y, within, (row) => points.style[row] > 0);
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    /** @type {Record<string, () => void>} */
    const actions = {
      ArrowLeft: () => this.lookAt(moved(this.camera, KEY_PX, 0)),
      ArrowRight: () => this.lookAt(moved(this.camera, -KEY_PX, 0)),
      ArrowUp: () => this.lookAt(moved(this.camera, 0, KEY_PX)),
      ArrowDown: () => this.lookAt(moved(this.camera, 0, -KEY_PX)),
      "+": () => this.zoom(KEY_ZOOM),
      "-": () => this.zoom(1 / KEY_ZOOM),
      0: () => this.reset(),
    };
    const action = actions[event.key];
    if (!action) return;
    event.preventDefault();
    event.stopPropagation();
    action();
  }

  /** Show no points. */
  clear() {
    this.points = null;
    this.grid = null;
    fill(this.outline);
    this.context.clearRect(0, 0, this.canvas.width, this.canvas.height);
  }
}

/**
 * @param {Pixel} a
 * @param {Pixel} b
 */
function distance(a, b) {
  return Math.hypot(a.x - b.x, a.y - b.y);
}
