// The gap at each scored timestep: a strip of maps, and below it the curve of the patch's score.

import { unpack } from "../lib/arrays.js";
import { rangeOf } from "../lib/colors.js";
import { createList, fill, h, indexOfFocus, svg } from "../lib/dom.js";
import { count, percent } from "../lib/format.js";
import { fitSquare, percentOf, placeBox, proxySize } from "../lib/geometry.js";
import { same } from "../lib/links.js";
import { UNIT, withUnit } from "../lib/quantities.js";
import { countedTimesteps } from "../lib/settings_text.js";

const HINT =
  `Below: the signed gap inside the patch at each timestep, in ${UNIT}, with its standard error; ` +
  "filled points count.";
const CLICK = "Click a map or a point to count its timestep alone, and click it again to count all.";

/** A click counts one timestep alone, a second click all of them again. */
export class TimestepStrip {
  /** @param {App} app */
  constructor(app) {
    this.app = app;
    this.legend = h("div.strip-legend", {});
    this.maps = h("div.strip-maps", { role: "group", "aria-label": "Gap maps by timestep" });
    this.list = createList(this.maps, () => new TimestepMap(app, (timestep) => this.toggle(timestep)));
    this.curve = h("div.curve", { role: "group", "aria-label": "Score of the patch by timestep" });
    this.labels = h("div.curve-labels", { "aria-hidden": "true", title: `Gap in the patch, in ${UNIT}.` });
    this.hint = h("p.hint", {});
    this.body = h(
      "div.strip-body",
      {},
      h("span.axis", {}, "gap"),
      this.maps,
      h("span.axis.tall", {}, this.labels),
      this.curve,
      h("span.axis", {}),
      h("p.axis-x", {}, "timestep"),
    );
    const head = h("div.bar-line", {}, h("h3", {}, "Gap over timesteps"), h("span.grow"), this.legend);
    const scroll = h("div.strip-scroll", {}, this.body);
    this.element = h("section.strip.card", { "aria-label": "Over timesteps" }, head, scroll, this.hint);
  }

  get timesteps() {
    return this.app.start.run.timesteps;
  }

  get counted() {
    return countedTimesteps(this.app.store.state.select, this.timesteps);
  }

  /** @param {ImageResult} image */
  show({ explanation, strip, frame }) {
    const { values, shape } = unpack(strip);
    const { timesteps, counted } = this;
    const range = rangeOf(values, true);
    const cells = shape[1] * shape[2];
    this.body.style.setProperty("--columns", String(timesteps.length));
    fill(this.legend, this.app.colors.legend(range, `gap, in ${UNIT}`, percent));
    const maps = this.list.resize(timesteps.length);
    timesteps.forEach((timestep, n) => {
      const map = { values: values.subarray(n * cells, (n + 1) * cells), shape: shape.slice(1) };
      const counts = counted.includes(timestep);
      const box = explanation.patch?.box ?? null;
      maps[n].show({ timestep, map, range, size: proxySize(frame), box, counts, alone: counted.length === 1 });
    });
    this.showCurve(explanation);
  }

  /** @param {number} timestep */
  toggle(timestep) {
    const alone = same(this.counted, [timestep]);
    this.app.store.select({ timesteps: alone || this.timesteps.length === 1 ? [] : [timestep] });
  }

  /**
   * Say how the curve and the score belong together: the score is the mean of the points, unless it counts otherwise.
   * @param {Moment[]} moments
   * @param {Patch} patch
   */
  describe(moments, { score }) {
    const counted = moments.filter((one) => one.counts).map((one) => one.share ?? 0);
    const mean = counted.reduce((sum, one) => sum + one, 0) / counted.length;
    const isScore = this.app.store.state.select.score === "signed";
    const other = `the score, ${percent(score)}, counts cells where naming the class helps alone`;
    return `${HINT} Their mean is ${percent(mean)}: ${isScore ? "the score of the patch" : other}. ${CLICK}`;
  }

  /** @param {Explanation} explanation */
  showCurve({ curve: moments, candidates, patch }) {
    const { curve, labels } = this;
    curve.classList.toggle("none", !patch);
    this.hint.textContent = patch ? this.describe(moments, patch) : "An image without a patch has no curve.";
    if (!moments.length) {
      fill(curve);
      fill(labels);
      return;
    }
    const range = roundRange(moments.flatMap((one) => ends(one)));
    /** @param {number | null} share */
    const top = (share) => percentOf((range.high - (share ?? 0)) / (range.high - range.low));
    const left = moments.map((_, n) => percentOf((n + 0.5) / moments.length));
    const ticks = [...new Set([range.high, 0, range.low])];
    fill(
      labels,
      ticks.map((tick) => h("span", { style: { top: top(tick) } }, percent(tick, 2))),
    );
    const grid = ticks.map((tick) => line(tick === 0 ? "zero" : "tick", "0%", top(tick), "100%", top(tick)));
    const path = moments
      .slice(1)
      .map((one, n) => line("path", left[n], top(moments[n].share), left[n + 1], top(one.share)));
    const errors = moments.map((one, n) => {
      const [low, high] = ends(one);
      return line("error", left[n], top(low), left[n], top(high));
    });
    const focused = indexOfFocus(curve.querySelectorAll("button"));
    const points = moments.map((one, n) => {
      const point = createPoint(one, candidates, () => this.toggle(one.timestep));
      point.style.left = left[n];
      point.style.top = top(one.share);
      return point;
    });
    fill(curve, svg("svg", { "aria-hidden": "true" }, grid, path, errors), points);
    points[focused]?.focus({ preventScroll: true });
  }
}

/**
 * Return a moment's share less and plus its standard error, where that is known.
 * @param {Moment} moment
 */
function ends({ share, standard_error: error }) {
  return [(share ?? 0) - (error ?? 0), (share ?? 0) + (error ?? 0)];
}

/**
 * @param {string} kind
 * @param {string} x1
 * @param {string} y1
 * @param {string} x2
 * @param {string} y2
 */
function line(kind, x1, y1, x2, y2) {
  return svg("line", { class: kind, x1, y1, x2, y2 });
}

/**
 * @typedef {object} ShownMap
 * @property {number} timestep
 * @property {Unpacked} map
 * @property {ScaleRange} range
 * @property {Size} size
 * @property {Box | null} box
 * @property {boolean} counts
 * @property {boolean} alone
 */

class TimestepMap {
  /**
   * @param {App} app
   * @param {(timestep: number) => void} toggle
   */
  constructor(app, toggle) {
    this.app = app;
    this.timestep = 0;
    this.canvas = h("canvas", { "aria-hidden": "true" });
    this.box = h("span.box");
    this.shot = h("span.shot", {}, this.canvas, this.box);
    this.label = h("span.timestep", {});
    const onclick = () => toggle(this.timestep);
    this.element = h("button.moment", { type: "button", onclick }, h("span.frame", {}, this.shot), this.label);
  }

  /** @param {ShownMap} shown */
  show({ timestep, map, range, size, box, counts, alone }) {
    this.timestep = timestep;
    fitSquare(this.shot, size);
    this.app.colors.draw(this.canvas, map, range);
    this.box.hidden = !box;
    if (box) placeBox(this.box, box, size);
    this.label.textContent = String(timestep);
    this.element.setAttribute("aria-pressed", String(counts));
    this.element.setAttribute("aria-label", `Timestep ${timestep}${counts ? ", counted" : ", not counted"}`);
    this.element.title = counts && alone ? "Count all timesteps again" : `Count timestep ${timestep} alone`;
  }
}

/**
 * @param {Moment} moment
 * @param {number} candidates
 * @param {() => void} onclick
 */
function createPoint({ timestep, share, rank, counts, standard_error: error }, candidates, onclick) {
  const place = `rank ${count(rank + 1)} of ${count(candidates)} boxes${counts ? "" : ", not counted"}`;
  const label = `timestep ${timestep}: signed gap ${withUnit(share, error)}, ${place}`;
  const props = { type: "button", title: label, "aria-label": label, "aria-pressed": String(counts) };
  return h("button.point", { ...props, onclick });
}

/**
 * Return the range of an axis with round ends that contains 0 and all shares.
 * @param {number[]} shares
 * @returns {ScaleRange}
 */
function roundRange(shares) {
  const largest = Math.max(...shares.map(Math.abs), 1e-6);
  const step = 10 ** Math.floor(Math.log10(largest)) / 2;
  return {
    low: Math.min(0, step * Math.floor(Math.min(...shares) / step)),
    high: Math.max(step, step * Math.ceil(Math.max(...shares) / step)),
  };
}
