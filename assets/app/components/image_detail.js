// The chosen image: why its patch was chosen, its maps, its boxes, and its overrides.

import { ticksOf } from "../lib/colors.js";
import { empty, fill, h } from "../lib/dom.js";
import { plural } from "../lib/format.js";
import { boxOf, proxySize, sameCorner } from "../lib/geometry.js";
import { whenIdle } from "../lib/idle.js";
import { decoded } from "../lib/images.js";
import { moveBox, movedTo, resetBoxes, toggleBan, togglePin } from "../lib/overrides.js";
import { dataUrl } from "../lib/picture.js";
import { createBestBoxes } from "./best_boxes.js";
import { createCellValues } from "./cell_values.js";
import { HeatMap } from "./heat_map.js";
import { HeatMapControls } from "./heat_map_controls.js";
import { createImageHead } from "./image_head.js";
import { canvasUrl, createPictureSaver, runLine } from "./save_picture.js";
import { Settling } from "./settling.js";
import { TimestepStrip } from "./timestep_strip.js";

const REMEMBERED = 500;
const IDLE_MS = 1000;

/** @typedef {{ before: string, after: string }} Neighbours */
/** @typedef {{ image: ImageResult, url: string, run: string }} Shown */
/** @typedef {{ image: ImageResult, run: string, name: string, asked: string }} Received */

export class ImageDetail {
  /**
   * @param {App} app
   * @param {{ step(by: number): void }} handlers step goes to the previous or next image
   */
  constructor(app, { step }) {
    this.app = app;
    /** @type {Map<string, Neighbours>} */
    this.neighbours = new Map();
    /** @type {Shown | null} */
    this.shown = null;
    this.nth = 0;
    /** @type {Box | null} the box of the patch to show of the image that is chosen next */
    this.wanted = null;
    /** @type {{ x: number, y: number } | null} */
    this.pixel = null;
    this.newest = 0;
    this.settled = "";
    /** @type {Promise<unknown>} */
    this.loading = Promise.resolve();
    /** @param {number} nth */
    const turn = (nth) => this.turn(nth);
    this.head = createImageHead({ step, pin: () => this.pin(), ban: () => this.ban(), turn });
    this.map = new HeatMap({ read: (x, y) => this.readAt(x, y), move: (x, y) => this.move(x, y) });
    this.controls = new HeatMapControls(app, () => app.attempt(() => this.paint()));
    this.boxes = createBestBoxes(app, {
      choose: (box, n) => (n === 0 ? this.resetBox() : this.move(box[0], box[1])),
      turn,
      reset: () => this.resetBox(),
    });
    this.values = createCellValues();
    this.controls.line.append(createPictureSaver(app, () => this.draw()).element);
    this.strip = new TimestepStrip(app);
    this.settling = new Settling(app);
    this.nothing = h("div.nothing", { hidden: true });
    this.detail = this.layout();
    this.element = h("div.detail-place", {}, this.detail, this.nothing);
  }

  layout() {
    const { head, map, controls, boxes, values, strip, settling } = this;
    const large = h("div.large", {}, controls.views.element, map.element, controls.element);
    const aside = h("div.aside", {}, boxes.element, values.element);
    const body = h("div.detail-body", {}, large, aside, strip.element, settling.element);
    return h("section.detail", { "aria-label": "Chosen image", hidden: true }, head.element, body);
  }

  get id() {
    return this.shown?.image.image_id ?? "";
  }

  /**
   * Return the images before and after the shown one; a banned image keeps the neighbours that it had.
   * @returns {Neighbours}
   */
  around() {
    if (!this.shown) return { before: "", after: "" };
    const { image } = this.shown;
    return (!image.explanation.patch && this.neighbours.get(this.id)) || image.around;
  }

  /**
   * Show the patch with this box of the image that is chosen next.
   * @param {Box} box
   */
  want(box) {
    this.wanted = box;
    if (!this.shown || this.id !== this.app.store.state.image_id) return;
    const nth = this.shown.image.boxes.findIndex((one) => sameCorner(boxOf(one), box));
    if (nth >= 0) this.turn(nth);
  }

  /** Wait until the current view is shown, or could not be. */
  async ready() {
    for (let loading; loading !== this.loading; ) {
      ({ loading } = this);
      await loading.catch(() => {});
    }
  }

  /** @param {Change} change */
  show(change) {
    const showing = this.load(change);
    this.loading = showing;
    return showing;
  }

  /** @param {Change} change */
  async load(change) {
    const { run, class_name: name, image_id: id } = this.app.store.state;
    if (change.size === 1 && change.has("image_id") && id === this.settled) return;
    this.settled = "";
    if (["run", "class_name", "image_id"].some((key) => change.has(key))) this.nth = 0;
    // The image loads while Python responds.
    if (id) this.app.images.url("proxy", run, name, id).catch(() => {});
    const received = await this.app.latest("image", () => this.request());
    if (received) await this.take(received);
  }

  /** @returns {Promise<Received>} */
  async request() {
    const { run, class_name: name, image_id: asked } = this.app.store.state;
    const { wanted } = this;
    this.wanted = null;
    const receive = async () => {
      const image = await this.app.ask("image", { nth: this.nth });
      if (image.proxy) this.app.images.put("proxy", run, name, image.image_id, image.proxy);
      return { image, run, name, asked };
    };
    const first = await receive();
    const boxes = (first.image.boxes ?? []).map(boxOf);
    const nth = wanted
      ? boxes.findIndex((/** @type {Box} */ one) => sameCorner(one, wanted))
      : Math.min(this.nth, boxes.length - 1);
    if (nth < 0 || nth === this.nth) return first;
    this.nth = nth;
    return receive();
  }

  /** @param {Received} received */
  async take({ image, run, name, asked }) {
    const { app } = this;
    this.newest += 1;
    const { newest } = this;
    if (!image.image_id) {
      this.showNothing();
      return;
    }
    const url = await app.images.url("proxy", run, name, image.image_id).catch(() => "");
    if (url && this.shown?.url !== url) await decoded(url);
    if (newest !== this.newest || app.store.state.run !== run || app.store.state.class_name !== name) return;
    const isOther = this.id !== image.image_id || this.shown?.run !== run;
    this.shown = { image, url, run };
    if (image.explanation.patch) this.remember(image);
    if (isOther) this.pixel = null;
    await this.paint();
    if (isOther) this.map.mark(null);
    if (this.pixel) app.attempt(() => this.requestValues());
    else this.values.show(null, app.store.state.select);
    whenIdle(() => this.prefetch(image, run, name), IDLE_MS);
    if (image.image_id === asked || app.store.state.image_id !== asked || app.store.state.class_name !== name) return;
    // From here on the page follows this image, even if other settings make another one the best.
    this.settled = image.image_id;
    app.store.go({ image_id: this.settled }, true);
  }

  /**
   * @param {ImageResult} image
   * @param {string} run
   * @param {string} name
   */
  prefetch({ around }, run, name) {
    for (const id of [around.before, around.after]) {
      if (id) this.app.images.url("proxy", run, name, id).catch(() => {});
    }
  }

  /** @param {ImageResult} image */
  remember({ image_id: id, around }) {
    this.neighbours.delete(id);
    this.neighbours.set(id, around);
    const oldest = this.neighbours.keys().next().value;
    if (this.neighbours.size > REMEMBERED && oldest) this.neighbours.delete(oldest);
  }

  showNothing() {
    this.shown = null;
    this.detail.hidden = true;
    this.nothing.hidden = false;
    const { scored, skipped } = this.app.class();
    const reason = skipped
      ? `${plural(skipped, "image")} of this class were skipped; the gallery lists the reasons.`
      : "The dataset has no image of this class.";
    fill(this.nothing, empty(scored ? "No image chosen" : "No scored images", reason));
  }

  async paint() {
    const { shown } = this;
    if (!shown) return;
    const { image, url } = shown;
    const range = await this.controls.rangeFor(image);
    if (this.shown?.image !== image) return;
    this.detail.hidden = false;
    this.nothing.hidden = true;
    const { select } = this.app.store.state;
    const corner = movedTo(select, image.image_id);
    const { patch, place } = image.explanation;
    const isMoved = corner != null;
    const movable =
      image.boxes.length === 1 || place === 0 || Boolean(corner && patch && sameCorner(corner, patch.box));
    const { view, opacity } = this.controls;
    this.map.show({ image, url, range, movable, view, opacity, select }, this.app.colors);
    this.controls.showLegend(range);
    this.head.show(image, { select, nth: this.nth, around: this.around() });
    this.boxes.show(image, { isMoved, movable });
    this.strip.show(image);
    this.app.attempt(() => this.settling.show(image, url));
  }

  /** Return the image and its map as a picture to save, with the boxes and the scale. */
  async draw() {
    const { app, shown, controls, map } = this;
    if (!shown?.url) return null;
    const { image, url } = shown;
    const { explanation, frame } = image;
    const legend = controls.legendOf(await controls.rangeFor(image));
    const marks = marksOf(explanation);
    const base = { image: await dataUrl(url), size: proxySize(frame), marks };
    const picture = { ...base, caption: "Image and boxes", map: "", smooth: true, opacity: 1 };
    const isOverlay = controls.view === "Overlay";
    const layer = { map: canvasUrl(map.map), smooth: isOverlay, opacity: isOverlay ? controls.opacity : 1 };
    const panels = legend ? [picture, { ...base, ...layer, caption: controls.view }] : [picture];
    const scale = legend && {
      stops: app.colors.stops(legend.kind),
      ticks: ticksOf(legend.range, legend.write),
      caption: legend.caption,
    };
    const lines = [runLine(app), explanation.sentence].filter(Boolean);
    const content = { title: image.image_id, lines, panels, scale };
    return { content, name: `${image.image_id} ${controls.view.toLowerCase()}` };
  }

  /**
   * @param {number} x
   * @param {number} y
   */
  move(x, y) {
    moveBox(this.app.store, this.id, x, y);
  }

  resetBox() {
    resetBoxes(this.app.store, [this.id]);
  }

  /**
   * Show another patch of the image.
   * @param {number} nth
   */
  turn(nth) {
    this.nth = nth;
    return this.app.attempt(() => this.show(new Set()));
  }

  /**
   * @param {number} x
   * @param {number} y
   */
  readAt(x, y) {
    this.pixel = { x, y };
    return this.app.attempt(() => this.requestValues());
  }

  async requestValues() {
    const { pixel } = this;
    if (!pixel) return;
    const values = await this.app.latest("values", () => this.app.ask("values", pixel));
    if (!values || pixel !== this.pixel) return;
    this.values.show(values, this.app.store.state.select);
    this.map.mark(values);
  }

  pin() {
    if (this.shown) togglePin(this.app.store, this.id);
  }

  ban() {
    if (this.shown) toggleBan(this.app.store, this.id);
  }
}

/**
 * The boxes of a picture to save: the patch, and the other best boxes by their numbers.
 * @param {Explanation} explanation
 */
function marksOf({ patch, best }) {
  const others = best
    .map(({ box }, n) => ({ box: boxOf(box), tag: String(n + 1), dashed: true }))
    .filter(({ box }) => !patch || !sameCorner(box, patch.box));
  return patch ? [...others, { box: patch.box }] : others;
}
