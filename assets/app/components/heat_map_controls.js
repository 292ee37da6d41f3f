// What is shown of the chosen image, how strongly, and on which scale; and the legend of the map.

import { DIM, kindOf, PALETTES, rangeOf, symmetric } from "../lib/colors.js";
import { fill, h, setStyle, uid } from "../lib/dom.js";
import { OPACITY_HELP, quantityOf } from "../lib/quantities.js";
import { mapOf } from "./heat_map.js";
import { createSegments, options } from "./segments.js";

const VIEWS = ["Image", "Overlay", "Conditional", "Unconditional", "Gap", "Difference"];
const SCALES = ["This image", "Class"];
const MOST_RANGES = 40;

/** @typedef {Record<keyof ImageResult["maps"], ScaleRange>} ClassRanges */

/** The controls of a heat map; `changed()` is called when the view, the opacity or the scale changes. */
export class HeatMapControls {
  /**
   * @param {App} app
   * @param {() => void} changed
   */
  constructor(app, changed) {
    this.app = app;
    this.changed = changed;
    this.view = "Overlay";
    this.opacity = 0.75;
    this.scale = "This image";
    /** @type {Map<string, Promise<ClassRanges>>} */
    this.ranges = new Map();
    this.views = createSegments("View", options(VIEWS), (view) => this.set({ view }));
    this.scales = createSegments("Scale over", options(SCALES), (scale) => this.set({ scale }));
    this.scales.element.classList.add("small");
    const id = uid("opacity");
    this.opacityText = h("output", { htmlFor: id, title: OPACITY_HELP });
    this.range = h("input", { id, type: "range", min: 0, max: 100, step: 5 });
    this.range.addEventListener("input", () => this.set({ opacity: this.range.valueAsNumber / 100 }));
    this.track = h("div.slider", {}, this.range);
    this.slider = h("div.opacity", {}, h("label", { htmlFor: id }, "Opacity"), this.track, this.opacityText);
    this.choice = h("div.scale-choice", {}, h("span", { "aria-hidden": "true" }, "Scale"), this.scales.element);
    this.legend = h("div.legend-place", {});
    this.palettes = this.createPalettes();
    this.line = h("div.heat-map-line", {}, this.slider, this.palettes.parentElement, this.choice);
    this.element = h("div.heat-map-controls", {}, this.legend, this.line);
    this.show();
  }

  /** Create the choice of colours, which this browser remembers. */
  createPalettes() {
    const options = Object.entries(PALETTES).map(([value, label]) => h("option", { value }, label));
    const select = h("select", { "aria-label": "Colours of the map" }, options);
    select.addEventListener("change", () => {
      this.app.colors.choose(select.value);
      this.set({});
    });
    h("label.palettes", {}, h("span", { "aria-hidden": "true" }, "Colours"), select);
    return select;
  }

  /** @param {{ view?: string, opacity?: number, scale?: string }} change */
  set(change) {
    Object.assign(this, change);
    this.show();
    this.changed();
  }

  show() {
    this.views.show(this.view);
    this.scales.show(this.scale);
    const percent = Math.round(100 * this.opacity);
    const isOverlay = this.view === "Overlay";
    this.range.value = String(percent);
    this.range.disabled = !isOverlay;
    this.range.setAttribute("aria-valuetext", `${percent} percent`);
    setStyle(this.track, { "--share": this.opacity });
    this.opacityText.textContent = `${percent} %`;
    this.slider.classList.toggle("off", !isOverlay);
    this.palettes.value = this.app.colors.palette;
    this.choice.classList.toggle("off", this.view === "Image");
  }

  /**
   * Return the range of the colour scale; that of the class is requested once for the settings that decide it.
   * @param {ImageResult} image
   * @returns {Promise<ScaleRange>}
   */
  async rangeFor(image) {
    if (this.view === "Image") return { low: 0, high: 1 };
    if (this.scale === "This image") return imageRange(image, this.view);
    return classRange(await this.classRanges(), this.view);
  }

  classRanges() {
    const { run, class_name: name, select } = this.app.store.state;
    const key = JSON.stringify([run, name, select.timesteps, select.locate, select.smooth]);
    const known = this.ranges.get(key);
    if (known) return known;
    /** @type {Promise<ClassRanges>} */
    const requested = this.app.ask("ranges");
    requested.catch(() => this.ranges.delete(key));
    this.ranges.set(key, requested);
    const oldest = this.ranges.keys().next().value;
    if (this.ranges.size > MOST_RANGES && oldest) this.ranges.delete(oldest);
    return requested;
  }

  /** @param {ScaleRange} range */
  showLegend(range) {
    const found = this.legendOf(range);
    if (!found) fill(this.legend, h("p.hint", {}, "The image as the prior saw it."));
    else fill(this.legend, this.app.colors.legend(found.range, found.caption, found.write, found.kind));
  }

  /**
   * Return what the legend of a map says; null for the image alone.
   * @param {ScaleRange} range
   */
  legendOf(range) {
    const { colors, store } = this.app;
    const { high } = range;
    const { select } = store.state;
    const { caption, write } = quantityOf(this.view, select);
    if (this.view === "Image") return null;
    if (this.view !== "Overlay") return { range, caption, write, kind: kindOf(range) };
    if (select.locate === "signed" && colors.palette !== DIM) {
      return { range: { low: -high, high }, caption, write, kind: /** @type {TableKind} */ ("signed") };
    }
    return { range: { low: 0, high }, caption, write, kind: /** @type {TableKind} */ ("positive") };
  }
}

/**
 * Return the range of one image. Both losses share a scale, so that switching between them shows where they differ.
 * @param {ImageResult} image
 * @param {string} view
 */
function imageRange(image, view) {
  if (view === "Gap" || view === "Overlay") return rangeOf(mapOf(image, view).values, true);
  if (view === "Difference") return { low: 0, high: rangeOf(mapOf(image, view).values, false).high };
  const [a, b] = ["Conditional", "Unconditional"].map((one) => rangeOf(mapOf(image, one).values, false));
  return { low: Math.min(a.low, b.low), high: Math.max(a.high, b.high) };
}

/**
 * @param {ClassRanges} ranges
 * @param {string} view
 */
function classRange({ conditional, unconditional, gap, difference, combined }, view) {
  if (view === "Gap") return symmetric(gap);
  if (view === "Difference") return { low: 0, high: difference.high };
  if (view === "Overlay") return symmetric(combined);
  const low = Math.max(0, Math.min(conditional.low, unconditional.low));
  return { low, high: Math.max(conditional.high, unconditional.high) };
}
