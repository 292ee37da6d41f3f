// How the choice settled: the best box and its score on a part of the noise, step by step.

import { fill, h, set, setStyle, stylesheet, svg, uid } from "../lib/dom.js";
import { percent, plural } from "../lib/format.js";
import { boxOf, fitSquare, overlapOf, percentOf, placeBox, proxySize, sameBox } from "../lib/geometry.js";
import { UNIT, withUnit } from "../lib/quantities.js";
import { recall, remember } from "../lib/storage.js";
import { createSegments } from "./segments.js";

stylesheet(new URL("./settling.css", import.meta.url));

const KEY = "dsel-settling";
/** @typedef {"cumulative" | "alone" | "draws"} Mode */
/** @type {Record<Mode, { label: string, title: string, note: string }>} */
const MODES = {
  cumulative: {
    label: "Timesteps so far",
    title: "Up to timestep",
    note:
      "Each step adds a timestep, the least noise first. The run stores the mean over the draws of each timestep " +
      "and its noise, not each draw; a run of up to 8 images, such as one image of the Score tab, stores them all.",
  },
  alone: {
    label: "Each timestep alone",
    title: "Timestep",
    note: "What each timestep would choose by itself.",
  },
  draws: {
    label: "Draws",
    title: "Draws",
    note:
      "Each step is what a run with so many draws at each timestep would choose. A standard error needs two halves " +
      "of the draws, in whole antithetic pairs where draws come in pairs.",
  },
};
const CHANCE_HELP =
  "The chance that box 2 is better than box 1, from the lead and its standard error: Student's t with one degree of " +
  "freedom for each timestep. That both are the best of many boxes is not counted.";

/** Shows one step at a time; the steps are requested while the part is open. */
export class Settling {
  /** @param {App} app */
  constructor(app) {
    this.app = app;
    /** @type {Mode} */
    this.mode = "cumulative";
    this.at = -1;
    /** @type {{ image: ImageResult, url: string } | null} */
    this.shown = null;
    /** @type {SettlingResult | null} */
    this.result = null;
    this.key = "";
    /** @type {{ element: HTMLElement, show(mode: Mode): void } | null} */
    this.segments = null;
    this.modes = h("div.settling-modes", {});
    const id = uid("step");
    this.label = h("label", { htmlFor: id });
    this.range = h("input", { id, type: "range", min: 0, step: 1 });
    this.range.addEventListener("input", () => this.go(this.range.valueAsNumber));
    this.track = h("div.slider", {}, this.range);
    this.output = h("output", { htmlFor: id });
    this.image = h("img", { alt: "", draggable: false });
    this.boxes = { last: createBox("last", ""), second: createBox("second", "2"), first: createBox("first", "1") };
    const { last, second, first } = this.boxes;
    this.shot = h("span.shot", { "aria-hidden": "true" }, this.image, last, second, first);
    this.facts = h("dl.settling-facts", {});
    this.chart = h("div.settling-chart", { role: "group", "aria-label": "Score by step" });
    this.note = h("p.hint", {});
    this.element = this.layout();
  }

  layout() {
    const { modes, label, track, output, shot, facts, chart, note } = this;
    const line = h("div.settling-line", {}, label, track, output);
    const side = h("div.settling-side", {}, line, facts, chart);
    const body = h("div.settling-body", {}, h("span.frame", {}, shot), side);
    const open = recall(KEY) === "open";
    const summary = h("summary", {}, "How the choice settled");
    const element = h("details.settling.card", { open }, summary, modes, body, note);
    element.addEventListener("toggle", () => {
      remember(KEY, element.open ? "open" : "");
      this.app.attempt(() => this.update());
    });
    return element;
  }

  /**
   * Show an image; its steps are requested if the part is open.
   * @param {ImageResult} image
   * @param {string} url
   */
  show(image, url) {
    this.shown = { image, url };
    return this.update();
  }

  async update() {
    const { app, shown, element } = this;
    if (!element.open || !shown) return;
    const { run, class_name: name, image_id: id } = app.store.state;
    const key = JSON.stringify([run, name, id, shown.image.image_id, app.store.query()]);
    if (key === this.key) return;
    this.key = key;
    element.setAttribute("aria-busy", "true");
    const view = new URLSearchParams(app.store.query());
    view.set("image", shown.image.image_id);
    const result = await app.latest("settled", () => app.ask("settled", {}, { view: view.toString() }));
    if (!result || this.shown !== shown) return;
    element.removeAttribute("aria-busy");
    this.result = result;
    this.image.src = shown.url;
    fitSquare(this.shot, proxySize(shown.image.frame));
    this.showModes();
  }

  showModes() {
    const { result, modes } = this;
    if (!result) return;
    const present = /** @type {Mode[]} */ (Object.keys(MODES)).filter((mode) => result[mode].length > 0);
    if (!present.includes(this.mode)) this.mode = present[0];
    if (modes.dataset.present !== present.join()) this.createModes(present);
    this.segments?.show(this.mode);
    this.paint();
  }

  /** @param {Mode[]} present */
  createModes(present) {
    const { modes } = this;
    const choices = present.map((value) => ({ value, label: MODES[value].label }));
    this.segments = createSegments("What is added at each step", choices, (mode) => {
      this.mode = mode;
      this.at = -1;
      this.segments?.show(mode);
      this.paint();
    });
    modes.dataset.present = present.join();
    fill(modes, this.segments.element);
  }

  get steps() {
    return this.result?.[this.mode] ?? [];
  }

  /** @param {number} at */
  go(at) {
    this.at = at;
    this.paint();
  }

  paint() {
    const { steps, shown, mode } = this;
    if (!steps.length || !shown) return;
    const last = steps.length - 1;
    if (this.at < 0 || this.at > last) this.at = last;
    const step = steps[this.at];
    const text = stepText(mode, step.at, steps);
    set(this.range, { max: last, value: this.at, disabled: last === 0 });
    this.range.setAttribute("aria-valuetext", text);
    setStyle(this.track, { "--share": last ? this.at / last : 1 });
    this.label.textContent = MODES[mode].title;
    this.output.textContent = text;
    this.note.textContent = `Filled points chose the box that all the noise chooses. ${MODES[mode].note}`;
    this.paintBoxes(step);
    this.paintFacts(step);
    this.paintChart();
  }

  /** The box that all the noise gives: that of the last step. */
  get final() {
    const { draws, cumulative } = /** @type {SettlingResult} */ (this.result);
    const last = draws.length ? draws : cumulative;
    return boxOf(last[last.length - 1].best.box);
  }

  /** @param {SettlingStep} step */
  paintBoxes({ best }) {
    const size = proxySize(/** @type {{ image: ImageResult }} */ (this.shown).image.frame);
    const { first, second, last } = this.boxes;
    placeBox(first, boxOf(best.box), size);
    second.hidden = !best.runner_up;
    if (best.runner_up) placeBox(second, boxOf(best.runner_up), size);
    placeBox(last, this.final, size);
    last.hidden = sameBox(boxOf(best.box), this.final);
  }

  /** @param {SettlingStep} step */
  paintFacts({ best }) {
    const overlap = overlapOf(boxOf(best.box), this.final);
    const rows = [
      ["score", withUnit(best.score, best.standard_error), `The mean gap inside box 1, in ${UNIT}.`],
      ["lead over box 2", withUnit(best.lead, best.lead_error), "On the map that locates."],
      ["chance that box 2 is better", percent(best.chance, 2), CHANCE_HELP],
      [
        "overlap with the chosen box",
        percent(overlap, 2),
        "The area that both boxes share, divided by the area that both cover.",
      ],
    ];
    const made = rows.map(([name, value, title]) => {
      return h("div", { title }, h("dt", {}, h("abbr", {}, name)), h("dd", {}, value));
    });
    fill(this.facts, made);
  }

  paintChart() {
    const { steps, mode, final, chart } = this;
    const ends = steps.flatMap(({ best }) => scoreEnds(best));
    const [low, high] = [Math.min(0, ...ends), Math.max(0, ...ends)];
    /** @param {number} score */
    const top = (score) => percentOf((high - score) / (high - low || 1));
    const left = steps.map((_, n) => percentOf((n + 0.5) / steps.length));
    const lines = steps.map(({ best }, n) => {
      const [from, to] = scoreEnds(best);
      return svg("line", { class: "error", x1: left[n], y1: top(from), x2: left[n], y2: top(to) });
    });
    const zero = svg("line", { class: "zero", x1: "0%", y1: top(0), x2: "100%", y2: top(0) });
    const points = steps.map(({ at, best }, n) => {
      const where = sameBox(boxOf(best.box), final) ? "the chosen box" : "another box";
      const label = `${stepText(mode, at, steps)}: ${withUnit(best.score, best.standard_error)}, ${where}`;
      const props = { type: "button", title: label, "aria-label": label, "aria-current": String(n === this.at) };
      const point = h("button.step", { ...props, onclick: () => this.go(n) });
      point.classList.toggle("elsewhere", where !== "the chosen box");
      setStyle(point, { left: left[n], top: top(best.score ?? 0) });
      return point;
    });
    const focused = [...chart.querySelectorAll("button")].indexOf(
      /** @type {HTMLButtonElement} */ (document.activeElement),
    );
    fill(chart, svg("svg", { "aria-hidden": "true" }, zero, lines), points);
    points[focused]?.focus({ preventScroll: true });
  }
}

/**
 * @param {"first" | "second" | "last"} kind
 * @param {string} tag
 */
function createBox(kind, tag) {
  return h(`span.settling-box.${kind}`, {}, tag && h("span.tag", {}, tag));
}

/** @param {SettlingStep["best"]} best */
function scoreEnds({ score, standard_error: error }) {
  return [(score ?? 0) - (error ?? 0), (score ?? 0) + (error ?? 0)];
}

/**
 * Name a step.
 * @param {Mode} mode
 * @param {number} at
 * @param {SettlingStep[]} steps
 */
function stepText(mode, at, steps) {
  if (mode === "draws") return `${plural(at, "draw")} of ${steps.length}`;
  if (mode === "alone" || at === steps[0].at) return `timestep ${at}`;
  return `timesteps ${steps[0].at} to ${at}`;
}
