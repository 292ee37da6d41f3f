// The chosen set beside the selection of a baseline: other images, or other boxes, at the same budget.

import { fill, h, icon, uid } from "../lib/dom.js";
import { distance, percent, plural } from "../lib/format.js";
import { ICONS } from "../lib/icons.js";
import { selectQuery } from "../lib/links.js";
import { UNIT } from "../lib/quantities.js";
import { createBaselineImages } from "./baseline_images.js";

const FIRST = "random-whole";

/**
 * @typedef {object} Selection
 * @property {number} total
 * @property {Patch[][]} images
 * @property {number | null} score
 * @property {number | null} picture_score
 * @property {number | null} coverage_distance
 * @property {number} clusters
 * @property {number} clusters_covered
 * @property {number} near_duplicates
 */
/** @typedef {{ name: string, description: string, linked: boolean }} Option a linked one can be chosen by a link */
/** @typedef {{ options: Option[], chosen: Selection, baseline: Selection, shared: number }} Selections */

/** @type {{ label: string, help: string, text(one: Selection): string }[]} */
const FIGURES = [
  {
    label: "Mean score",
    help: `The mean score of the kept patches, in ${UNIT}.`,
    text: (one) => percent(one.score),
  },
  {
    label: "Mean picture score",
    help: `The mean score over the whole pictures that are kept, in ${UNIT}.`,
    text: (one) => percent(one.picture_score),
  },
  {
    label: "Coverage distance",
    help: "Mean feature distance from each patch of the class to that of the nearest kept image. Lower is better.",
    text: (one) => distance(one.coverage_distance),
  },
  {
    label: "Clusters covered",
    help: "Clusters of located patches with at least one kept image.",
    text: (one) => `${one.clusters_covered} of ${one.clusters}`,
  },
  {
    label: "Near-duplicates",
    help: "Pairs of kept images whose located patches look almost the same to the prior.",
    text: (one) => plural(one.near_duplicates, "pair"),
  },
];

export class BaselineSelections {
  /** @param {App} app */
  constructor(app) {
    this.app = app;
    this.name = FIRST;
    this.seed = 0;
    const id = uid("baseline");
    this.select = h("select", { id, onchange: () => this.choose(this.select.value) });
    const again = { type: "button", "aria-label": "Draw another selection", onclick: () => this.drawAgain() };
    this.again = h("button.button", again, icon(ICONS.reset), h("span", {}, "Draw again"));
    this.text = h("p.soft", { "aria-live": "polite" });
    this.problem = h("div.notices", { role: "status" });
    this.columns = [createSelection(app, "Chosen set"), createSelection(app, "Baseline's set")];
    this.acts = [
      h("button.button", { type: "button", onclick: () => this.compare() }, "Compare image by image"),
      h("button.button", { type: "button", onclick: () => this.use() }, "Use this selection"),
    ];
    this.own = h("div.notices", { role: "status" });
    const label = h("label", { for: id }, "Baseline");
    const bar = h("div.bar-line", {}, label, this.select, this.again, this.acts);
    const pair = h(
      "div.selection-pair",
      {},
      this.columns.map((one) => one.element),
    );
    const head = h("h2", {}, "Other selections of equal budget");
    this.element = h(
      "section.selections",
      { "aria-label": "Other selections" },
      head,
      this.own,
      bar,
      this.text,
      this.problem,
      pair,
    );
  }

  /** The settings that select as the baseline does. */
  get settings() {
    return { ...this.app.store.state.select, baseline: this.name, baseline_seed: this.seed };
  }

  /** Compare the chosen set as B with the baseline's as A. */
  compare() {
    const { store } = this.app;
    store.go({ a: selectQuery(store.defaults, this.settings), tab: "compare" });
  }

  /** Make the baseline's set the one that all tabs show, and that is exported. */
  use() {
    this.app.store.select({ baseline: this.name, baseline_seed: this.seed });
  }

  /** Say which baseline selects the chosen set, if one does, and offer to return. */
  showOwn() {
    const { store } = this.app;
    const { baseline } = store.state.select;
    const onclick = () => store.select({ baseline: "none", baseline_seed: 0 });
    const back = h("button.button", { type: "button", onclick }, "Return to dsel's own ranking");
    const text = h("p", {}, `The chosen set, in all tabs and in exports, is that of the baseline ${baseline}.`);
    fill(this.own, baseline !== "none" && h("div.notice", {}, text, h("div.acts", {}, back)));
  }

  /** @param {string} name */
  choose(name) {
    this.name = name;
    return this.app.attempt(() => this.request());
  }

  drawAgain() {
    this.seed += 1;
    return this.app.attempt(() => this.request());
  }

  async request() {
    const { app, name, seed } = this;
    this.showOwn();
    const result = await app.latest("baseline selection", () => this.ask({ name, seed }));
    if (!result) return;
    const [chosen, baseline] = this.columns;
    baseline.element.hidden = "problem" in result;
    if ("problem" in result) {
      for (const act of this.acts) act.hidden = true;
      fill(this.problem, h("div.notice", {}, result.problem));
      return;
    }
    fill(this.problem);
    this.showOptions(result.options);
    const isLinked = result.options.some((one) => one.name === name && one.linked);
    for (const act of this.acts) act.hidden = !isLinked;
    chosen.show(result.chosen);
    baseline.show(result.baseline);
    this.text.textContent = this.describe(result);
    this.mark();
  }

  /**
   * A baseline that lacks a teacher or true boxes is no failure of the tab: it is said in its place.
   * @param {{ name: string, seed: number }} params
   * @returns {Promise<Selections | { problem: string }>}
   */
  async ask(params) {
    try {
      return await this.app.ask("baseline_selection", params);
    } catch (error) {
      return { problem: /** @type {Error} */ (error).message };
    }
  }

  /** @param {Option[]} options */
  showOptions(options) {
    if (this.select.options.length) return;
    fill(
      this.select,
      options.map(({ name, description }) => h("option", { value: name }, `${name}: ${description}`)),
    );
    this.select.value = this.name;
  }

  /** @param {Selections} result */
  describe({ baseline, shared }) {
    const { class_name: name } = this.app.store.state;
    return [
      `The baseline chooses from the same images and keeps ${plural(baseline.total, "image")} of ${name}.`,
      `${plural(shared, "source image")} ${shared === 1 ? "is" : "are"} in both sets.`,
      "Images are shown as they are exported.",
    ].join(" ");
  }

  mark() {
    for (const { mark } of this.columns) mark(this.app.store.state.image_id);
  }
}

/**
 * @param {App} app
 * @param {string} label
 */
function createSelection(app, label) {
  const images = createBaselineImages(app, label, "cut");
  const values = FIGURES.map(() => h("dd"));
  const lines = FIGURES.map((one, n) => h("div", { title: one.help }, h("dt", {}, one.label), values[n]));
  const note = h("p.soft.more-note");
  const figures = h("dl.selection-figures", {}, lines);
  return {
    element: h("section.card.selection", { "aria-label": label }, h("h3", {}, label), figures, images.element, note),
    mark: images.mark,
    /** @param {Selection} selection */
    show(selection) {
      FIGURES.forEach((one, n) => {
        values[n].textContent = one.text(selection);
      });
      images.show(selection.images);
      const left = selection.total - selection.images.length;
      note.textContent = left > 0 ? `and ${plural(left, "image")} more` : "";
    },
  };
}
