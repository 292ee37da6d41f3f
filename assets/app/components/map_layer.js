// What lies over the map's points: images in place of points, names of classes or clusters, a ring at the chosen image.

import { createList, h } from "../lib/dom.js";

/** Up to so many points in view are shown as images. */
const MOST_SEEN = 160;
/** Sides of the images in CSS pixels: the fewer are in view, the larger they are. */
const SIDES = /** @type {const} */ ([
  [25, 84],
  [60, 60],
  [Infinity, 44],
]);
const MOST_LABELS = 60;
const MOST_TRIED = 2000;
const LETTER_PX = 7;
const LABEL_PX = 20;

/** @typedef {import("../lib/map_data.js").MapData} MapData */
/** @typedef {import("../lib/map_raster.js").Seen} Seen */
/** @typedef {{ x: number, y: number }} Pixel */
/** @typedef {{ text: string, x: number, y: number, count: number }} Label */

/** The layer inside the element of a plot. */
export class MapLayer {
  /**
   * @param {App} app
   * @param {HTMLElement} element
   */
  constructor(app, element) {
    this.app = app;
    this.images = h("div.map-images");
    this.names = h("div.map-names");
    this.rings = { chosen: h("span.ring.chosen", { hidden: true }), pointed: h("span.ring.pointed", { hidden: true }) };
    this.labels = createList(this.names, () => ({ element: h("span.map-name") }));
    /** @type {Map<number, HTMLImageElement>} */
    this.shown = new Map();
    const { pointed, chosen } = this.rings;
    element.append(h("div.map-layer", { "aria-hidden": "true" }, this.images, this.names, pointed, chosen));
  }

  /**
   * Show images in place of points that are far enough apart, if few are in view.
   * @param {MapData} data
   * @param {Seen} seen
   * @param {number[]} order rows in view, the most important first
   * @param {(row: number) => Pixel} pixelOf
   */
  showImages(data, seen, order, pixelOf) {
    const [, side] = SIDES.find(([most]) => seen.count <= most) ?? SIDES[0];
    this.images.style.setProperty("--side", `${side}px`);
    const wanted = seen.count <= MOST_SEEN ? apart(order, pixelOf, side + 2) : [];
    const places = new Map(wanted);
    for (const [row, image] of this.shown) {
      if (places.has(row)) continue;
      image.remove();
      this.shown.delete(row);
    }
    for (const [row, { x, y }] of places) {
      const image = this.shown.get(row) ?? this.load(data, row);
      image.style.transform = `translate(${x}px, ${y}px) translate(-50%, -50%)`;
    }
  }

  /**
   * @param {MapData} data
   * @param {number} row
   */
  load(data, row) {
    const image = h("img.map-image", { alt: "", draggable: false });
    this.shown.set(row, image);
    this.images.append(image);
    const { run } = this.app.store.state;
    this.app.images.url("thumbnail", run, data.classes[data.classOf[row]], data.ids[row]).then(
      (url) => {
        image.src = url;
      },
      () => {},
    );
    return image;
  }

  /**
   * Frame the images in the colours of their points.
   * @param {(row: number) => string} colorOf
   */
  frameImages(colorOf) {
    for (const [row, image] of this.shown) image.style.borderColor = colorOf(row);
  }

  /**
   * Write the names that have room, the largest groups first.
   * @param {Label[]} labels
   * @param {(label: Label) => Pixel} pixelOf
   * @param {{ width: number, height: number }} sides
   */
  showNames(labels, pixelOf, { width, height }) {
    /** @type {{ text: string, at: Pixel, half: number }[]} */
    const placed = [];
    for (const label of labels.slice(0, MOST_TRIED)) {
      if (placed.length >= MOST_LABELS) break;
      const at = pixelOf(label);
      if (at.x < 0 || at.y < 0 || at.x > width || at.y > height) continue;
      const half = (LETTER_PX * label.text.length) / 2 + 6;
      const isFree = placed.every(
        (other) => Math.abs(other.at.x - at.x) > other.half + half || Math.abs(other.at.y - at.y) > LABEL_PX,
      );
      if (isFree) placed.push({ text: label.text, at, half });
    }
    const views = this.labels.resize(placed.length);
    placed.forEach(({ text, at }, n) => {
      const { element } = views[n];
      if (element.textContent !== text) element.textContent = text;
      element.style.transform = `translate(${at.x}px, ${at.y}px) translate(-50%, -50%)`;
    });
  }

  /**
   * Put a ring around a point, or hide it.
   * @param {"chosen" | "pointed"} kind
   * @param {Pixel | null} at
   */
  ring(kind, at) {
    const ring = this.rings[kind];
    ring.hidden = !at;
    if (at) ring.style.transform = `translate(${at.x}px, ${at.y}px)`;
  }

  /** Remove the images, as another run needs. */
  clear() {
    for (const image of this.shown.values()) image.remove();
    this.shown.clear();
    this.labels.resize(0);
  }
}

/**
 * Return the first rows that are an image's width apart, with their pixels.
 * @param {number[]} order
 * @param {(row: number) => Pixel} pixelOf
 * @param {number} side
 * @returns {[number, Pixel][]}
 */
function apart(order, pixelOf, side) {
  /** @type {[number, Pixel][]} */
  const found = [];
  for (const row of order) {
    const at = pixelOf(row);
    const isFree = found.every(([, other]) => Math.max(Math.abs(other.x - at.x), Math.abs(other.y - at.y)) > side);
    if (isFree) found.push([row, at]);
  }
  return found;
}
