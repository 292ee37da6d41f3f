// A patch cut from its image by the browser: a slider sends no pixels.

import { h } from "../lib/dom.js";
import { cropImage } from "../lib/geometry.js";
import { drawTile } from "../lib/native_tile.js";

/** The share of the frame's pixels below which a thumbnail looks blurred. */
const SHARP_ENOUGH = 0.8;

/**
 * Shows one patch at a time. The thumbnail comes first; the proxy replaces it where it has too few pixels for the
 * frame. A lazy crop loads when it comes near the viewport.
 */
export class PatchCrop {
  /**
   * @param {App} app
   * @param {{ lazy?: boolean }} [options]
   */
  constructor(app, { lazy = false } = {}) {
    this.app = app;
    this.lazy = lazy;
    this.image = h("img", { alt: "", draggable: false });
    this.element = h("span.crop", {}, this.image);
    this.key = "";
    this.kind = "";
    this.share = 1;
    /** @type {HTMLCanvasElement | null} */
    this.canvas = null;
    /** @type {{ className: string, id: string, box: Box | null, size: Size } | null} */
    this.shown = null;
    this.image.addEventListener("load", () => this.loaded());
  }

  /**
   * Show a patch of a class. `share` is that of the frame's side which it fills; its edges are repeated in the rest.
   * @param {{ id: string, box: Box, size: Size }} patch
   */
  show({ id, box, size }, className = this.app.store.state.class_name, share = 1) {
    cropImage(this.image, box, size);
    this.share = share;
    this.shown = { className, id, box, size };
    this.request();
  }

  /**
   * Show a whole image.
   * @param {string} className
   * @param {string} id
   */
  showWhole(className, id) {
    this.element.classList.add("whole");
    this.shown = { className, id, box: null, size: [1, 1] };
    this.request();
  }

  request() {
    if (!this.shown) return;
    const key = JSON.stringify([this.app.store.state.run, this.shown.className, this.shown.id]);
    if (key === this.key) {
      // In the next frame: measuring now would lay out the page before the rest of it has changed.
      requestAnimationFrame(() => this.loaded());
      return;
    }
    this.key = key;
    this.kind = "";
    this.image.removeAttribute("src");
    const load = () => this.key === key && this.load("thumbnail");
    if (this.lazy) whenVisible(this.element, load);
    else load();
  }

  /** @param {"thumbnail" | "proxy"} kind */
  load(kind) {
    if (!this.shown) return;
    const { key } = this;
    this.kind = kind;
    const { className, id } = this.shown;
    this.app.images.url(kind, this.app.store.state.run, className, id).then(
      (url) => {
        if (this.key === key && this.kind === kind) this.image.src = url;
      },
      () => {},
    );
  }

  loaded() {
    this.sharpen();
    this.extend();
  }

  /** Draw a patch that does not fill its frame on a canvas over the image, since its edges are repeated. */
  extend() {
    const { shown, image, share, element } = this;
    if (share >= 1 || !shown?.box || !image.naturalWidth || !image.hasAttribute("src")) {
      this.canvas?.remove();
      this.canvas = null;
      return;
    }
    if (!this.canvas) {
      this.canvas = h("canvas");
      element.append(this.canvas);
    }
    drawTile(this.canvas, image, { box: shown.box, size: shown.size, share }, element.clientWidth * devicePixelRatio);
  }

  /** Load the proxy where the thumbnail has too few pixels inside the box. */
  sharpen() {
    const { shown, image, kind } = this;
    if (!shown?.box || kind !== "thumbnail" || !image.naturalWidth || !image.hasAttribute("src")) return;
    const pixels = (image.naturalWidth * shown.box[2]) / shown.size[0];
    const needed = this.element.clientWidth * devicePixelRatio * this.share;
    if (shown.size[0] > image.naturalWidth && pixels < SHARP_ENOUGH * needed) this.load("proxy");
  }
}

/** @type {WeakMap<Element, () => void>} */
const actions = new WeakMap();
const observer = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) continue;
      observer.unobserve(target);
      actions.get(target)?.();
    }
  },
  { rootMargin: "200px" },
);

/**
 * @param {Element} element
 * @param {() => void} action
 */
function whenVisible(element, action) {
  actions.set(element, action);
  observer.unobserve(element);
  observer.observe(element);
}
