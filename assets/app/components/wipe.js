// One image under two settings: a slider wipes between A's map and box and B's.

import { unpack } from "../lib/arrays.js";
import { rangeOf, ticksOf } from "../lib/colors.js";
import { fill, h, set, setStyle, uid } from "../lib/dom.js";
import { percent } from "../lib/format.js";
import { dataUrl } from "../lib/picture.js";
import { OPACITY_HELP, UNIT } from "../lib/quantities.js";
import { createSideBoxes } from "./box_pair.js";
import { canvasUrl, createPictureSaver, runLine } from "./save_picture.js";

const OPACITY = 0.7;
const CAPTION = `gap that locates, in ${UNIT}; one scale for A and B`;
/** @param {number} share */
const alpha = (share) => Math.min(1, 0.15 + share * 1.6);

export class Wipe {
  /** @param {App} app */
  constructor(app) {
    this.app = app;
    this.a = createLayer("a");
    this.b = createLayer("b");
    this.range = h("input.wipe-range", { type: "range", min: 0, max: 100, step: 1, value: 50 });
    this.range.setAttribute("aria-label", "Wipe between A and B");
    this.range.addEventListener("input", () => this.move());
    const divider = h("span.wipe-line", { "aria-hidden": "true" }, h("span.wipe-grip", {}, "⇔"));
    const tags = ["A", "B"].map((one) => h(`span.wipe-tag.of-${one.toLowerCase()}`, { "aria-hidden": "true" }, one));
    this.view = h("div.wipe-view", {}, this.a.element, this.b.element, divider, tags, this.range);
    this.legend = h("div", {});
    const opacity = createOpacity(this.view);
    const saver = createPictureSaver(app, () => this.draw());
    const line = h("div.wipe-controls", {}, opacity, saver.element);
    this.element = h("div.wipe", {}, h("div.wipe-fit", {}, this.view), line, this.legend);
    this.key = "";
    /** @type {{ row: ChangeRow, images: ImageResult[], range: ScaleRange } | null} what the maps are of */
    this.shown = null;
    /** @type {ChangeRow | null} */
    this.row = null;
    this.move();
  }

  move() {
    const at = this.range.valueAsNumber;
    setStyle(this.view, { "--at": `${at}%` });
    this.range.setAttribute("aria-valuetext", `${percent(at / 100)} A, ${percent(1 - at / 100)} B`);
  }

  /**
   * Show the image and both boxes.
   * @param {ChangeRow} row
   */
  show(row) {
    const { app } = this;
    this.row = row;
    const [width, height] = row.size;
    setStyle(this.view, { "aspect-ratio": `${width} / ${height}`, "--tall": height / width });
    this.a.boxes.show(row);
    this.b.boxes.show(row);
    const { run, class_name: name } = app.store.state;
    const key = JSON.stringify([run, name, row.id, app.colors.palette]);
    if (this.key === key) return;
    this.key = key;
    for (const layer of [this.a, this.b]) layer.canvas.hidden = true;
    this.range.setAttribute("aria-label", `Wipe between A and B on image ${row.id}`);
    app.attempt(() => this.load(key, run, name, row.id));
  }

  /**
   * Load the thumbnail and then the proxy.
   * @param {string} key
   * @param {string} run
   * @param {string} name
   * @param {string} id
   */
  async load(key, run, name, id) {
    const proxy = this.app.images.url("proxy", run, name, id);
    const first = await Promise.race([this.app.images.url("thumbnail", run, name, id).catch(() => proxy), proxy]);
    this.put(key, first);
    this.put(key, await proxy);
  }

  /**
   * @param {string} key
   * @param {string} url
   */
  put(key, url) {
    if (this.key !== key) return;
    for (const { image } of [this.a, this.b]) image.src = url;
  }

  /**
   * Draw both maps on one scale, so that they can be compared.
   * @param {ImageResult} a
   * @param {ImageResult} b
   */
  showMaps(a, b) {
    const [first, second] = [unpack(a.maps.combined), unpack(b.maps.combined)];
    const range = rangeOf([...first.values, ...second.values], true);
    this.app.colors.draw(this.a.canvas, first, range, alpha);
    this.app.colors.draw(this.b.canvas, second, range, alpha);
    for (const layer of [this.a, this.b]) layer.canvas.hidden = false;
    fill(this.legend, this.app.colors.legend(range, CAPTION, percent));
    if (this.row) this.shown = { row: this.row, images: [a, b], range };
  }

  /** Return the image under A and under B as a picture to save, side by side. */
  async draw() {
    const { app, shown } = this;
    if (!shown || !this.a.image.src) return null;
    const { row, images, range } = shown;
    const image = await dataUrl(this.a.image.src);
    const opacity = Number(this.view.style.getPropertyValue("--heat")) || OPACITY;
    const panels = [this.a, this.b].map((layer, n) => {
      const marks = (row[n ? "b" : "a"]?.boxes ?? []).map((box) => ({ box, dashed: n === 0 }));
      return {
        ...{ caption: n ? "B" : "A", image, map: canvasUrl(layer.canvas), smooth: true },
        ...{ opacity, size: row.size, marks },
      };
    });
    const sentences = images.map(({ explanation }, n) => `${n ? "B" : "A"}: ${explanation.sentence}`);
    const scale = { stops: app.colors.stops("signed"), ticks: ticksOf(range, percent), caption: CAPTION };
    const content = { title: row.id, lines: [runLine(app), ...sentences], panels, scale };
    return { content, name: `${row.id} A and B` };
  }
}

/** @param {"a" | "b"} side */
function createLayer(side) {
  const image = h("img", { alt: "", draggable: false });
  const canvas = h("canvas", { hidden: true, "aria-hidden": "true" });
  const boxes = h("span.boxes", { "aria-hidden": "true" });
  const element = h(`div.layer.layer-${side}`, {}, image, canvas, boxes);
  return { element, image, canvas, boxes: createSideBoxes(boxes, side) };
}

/** @param {HTMLElement} view */
function createOpacity(view) {
  const id = uid("opacity");
  const output = h("output.value", { htmlFor: id, title: OPACITY_HELP });
  const input = h("input", { type: "range", id, min: 0, max: 100, step: 5, value: 100 * OPACITY });
  const slider = h("div.slider", {}, input);
  const put = () => {
    const share = input.valueAsNumber / 100;
    setStyle(view, { "--heat": share });
    setStyle(slider, { "--share": share });
    output.textContent = percent(share, 2);
  };
  set(input, { oninput: put });
  put();
  return h("div.wipe-opacity", {}, h("label", { htmlFor: id }, "Opacity of the map"), slider, output);
}
