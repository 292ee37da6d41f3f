// Baselines: the class's distilled set as chosen, beside other patches of its images, and beside other selections.

import { createBaselineImages } from "../components/baseline_images.js";
import { BaselineSelections } from "../components/baseline_selections.js";
import { createLocalizationMeters } from "../components/localization_meters.js";
import { fill, h, icon, stylesheet } from "../lib/dom.js";
import { count, percent, plural } from "../lib/format.js";
import { ICONS } from "../lib/icons.js";
import { SCORE_HELP, UNIT } from "../lib/quantities.js";

stylesheet(new URL("./baselines.css", import.meta.url));

const REST_MS = 350;
const IRRELEVANT = ["image_id", "tab", "a", "export"];
/** @type {Record<string, { label: string, text: string }>} */
const KINDS = {
  chosen: { label: "Chosen", text: "the box with the largest gap" },
  random: { label: "Random", text: "a box anywhere in the image" },
  centre: { label: "Centre", text: "a box in the middle of the image" },
  whole: { label: "Whole image", text: "the whole image, reduced to the same size" },
};
/** @type {Record<string, string>} what the distilled set shows instead of its patches, by its cut */
const WIDER = {
  context: "The distilled set is cut wider: it shows the surroundings of its patches, too.",
  whole: "The distilled set is cut wider: it shows whole pictures.",
};

/** @typedef {import("../components/localization_meters.js").Localization} Localization */
/**
 * @typedef {object} Baselines
 * @property {string[]} ids
 * @property {number} total
 * @property {number} patch_px
 * @property {number} resolution_px
 * @property {{ kind: string, images: Patch[][], score: number | null }[]} kinds
 */
/**
 * @typedef {object} Fit how the true boxes fit the run
 * @property {number} run_images
 * @property {number} run_images_with_objects
 * @property {number} file_images
 * @property {number} file_images_not_in_run
 * @property {string[]} notes
 */
/** @typedef {{ kinds: Localization[], fit: Fit | null, small_share: number, large_share: number }} Localizations */

/** @type {Tab} */
export const tab = { mount: (root, app) => new BaselinesTab(root, app) };

class BaselinesTab {
  /**
   * @param {HTMLElement} root
   * @param {App} app
   */
  constructor(root, app) {
    this.app = app;
    this.seed = 0;
    this.timer = 0;
    this.isKnown = false;
    const props = { type: "button", "aria-label": "Draw again", title: "Draw again", onclick: () => this.drawAgain() };
    const again = h("button.button", props, icon(ICONS.reset), h("span", {}, "Draw again"));
    this.columns = Object.keys(KINDS).map((kind) => createColumn(app, kind, kind === "random" && again));
    this.budget = h("p.budget", { "aria-live": "polite" });
    this.truth = h("div.truth", {});
    const grid = h(
      "div.baselines-grid",
      {},
      this.columns.map((one) => one.element),
    );
    const head = h("div", {}, h("h2", {}, "Other patches of the same images"), this.budget);
    this.selections = new BaselineSelections(app);
    this.element = h("div.baselines", {}, head, this.truth, grid, this.selections.element);
    fill(root, this.element);
  }

  /** @param {Change} change */
  async show(change) {
    this.mark();
    if (this.isKnown && [...change].every((key) => IRRELEVANT.includes(key))) return;
    await Promise.all([this.requestImages(), this.requestLocalization(), this.selections.request()]);
  }

  hide() {
    clearTimeout(this.timer);
    this.isKnown = false;
  }

  drawAgain() {
    this.seed += 1;
    return this.app.attempt(() => this.requestImages());
  }

  async requestImages() {
    const { app, seed } = this;
    /** @type {Baselines | undefined} */
    const result = await app.latest("baselines", () => app.ask("baselines", { seed }));
    if (!result) return;
    this.isKnown = true;
    this.budget.textContent = budgetText(result, app.store.state);
    for (const one of result.kinds) this.columns.find(({ kind }) => kind === one.kind)?.show(result.total, one);
    this.mark();
  }

  mark() {
    for (const column of this.columns) column.mark(this.app.store.state.image_id);
    this.selections.mark();
  }

  async requestLocalization() {
    this.element.classList.add("stale");
    const result = await this.app.latest("localization", () => this.localize("localization"));
    if (!result) return;
    fill(this.truth, "problem" in result ? problemNotice(result.problem) : explainHits(result));
    const kinds = "kinds" in result ? result.kinds : [];
    for (const { kind, meters } of this.columns) meters.show(kinds.find((one) => one.kind === kind));
    clearTimeout(this.timer);
    if (kinds.length) this.timer = window.setTimeout(() => this.app.attempt(() => this.requestOverall()), REST_MS);
    else for (const { meters } of this.columns) meters.showOverall(undefined);
  }

  /** Request the figures of all classes once the settings are at rest. */
  async requestOverall() {
    const result = await this.app.latest("localization overall", () => this.localize("localization_overall"));
    if (!result) return;
    this.element.classList.remove("stale");
    const kinds = "kinds" in result ? result.kinds : [];
    for (const { kind, meters } of this.columns) meters.showOverall(kinds.find((one) => one.kind === kind));
  }

  /**
   * True boxes that cannot be read are no failure of the tab: their problem is shown in it.
   * @param {string} method
   * @returns {Promise<Localizations | { problem: string }>}
   */
  async localize(method) {
    try {
      return await this.app.ask(method);
    } catch (error) {
      return { problem: /** @type {Error} */ (error).message };
    }
  }
}

/**
 * Describe what all four columns have in common.
 * @param {Baselines} result
 * @param {View} view
 */
function budgetText({ total, patch_px: side, resolution_px: resolution, ids }, view) {
  const { select, class_name: name } = view;
  if (!total) return `Class ${name} has no image that could be kept.`;
  const { factor, ipc, cut } = select;
  const made = factor > 1 ? `mosaics of ${factor} × ${factor} patches` : "single patches";
  const short = total < ipc ? `, as many as the class gives at IPC ${ipc}` : "";
  return [
    `Each column is a set of ${plural(total, "image")} of ${name}${short}.`,
    `All are made of the same ${plural(ids.length, "source image")} as ${made}`,
    `of ${side} × ${side} px of ${resolution} px;`,
    "only the part of each image that is shown differs.",
    cut === "patch" ? "" : WIDER[cut],
    `The mean score is the mean of the gap inside the patches, in ${UNIT}.`,
  ]
    .filter(Boolean)
    .join(" ");
}

/**
 * @param {App} app
 * @param {string} kind
 * @param {HTMLElement | false} action
 */
function createColumn(app, kind, action) {
  const { label, text } = KINDS[kind];
  const meters = createLocalizationMeters(label);
  const images = createBaselineImages(app, label);
  const score = h("dd");
  const note = h("p.soft.more-note");
  const head = h("div.baseline-head", {}, h("h2", {}, label), h("span.grow"), action);
  const mean = h(
    "dl.baseline-score",
    { title: `The mean over the shown patches. ${SCORE_HELP}` },
    h("dt", {}, "Mean score"),
    score,
  );
  const parts = [head, h("p.soft", {}, text), meters.element, mean, images.element, note];
  return {
    kind,
    meters,
    element: h("section.card.baseline", { "aria-label": label, data: { kind } }, parts),
    mark: images.mark,
    /**
     * @param {number} total
     * @param {{ images: Patch[][], score: number | null }} result
     */
    show(total, result) {
      score.textContent = percent(result.score);
      images.show(result.images);
      const left = total - result.images.length;
      note.textContent = left > 0 ? `and ${plural(left, "image")} more` : "";
    },
  };
}

/** @param {string} problem */
function problemNotice(problem) {
  return h("div.notice.bad", { role: "alert" }, `Hit rates are not available: ${problem}`);
}

/**
 * Explain what a hit is; without true boxes, how to add them.
 * @param {Localizations} result
 */
function explainHits({ kinds, fit, small_share: small, large_share: large }) {
  if (!kinds.length || !fit) return explainMissingBoxes();
  const images = plural(kinds[0].images, "image");
  const rule = h(
    "p.soft",
    {},
    `A patch hits if it contains at least ${percent(small, 2)} of the object or, where the object is larger than the `,
    `patch, if at least ${percent(large, 2)} of the patch is inside the object. `,
    "Coverage is the share of the object that the patch contains. ",
    `Of each of the class's ${images} with a true box the best patch counts, kept or not; `,
    "random is the mean over all positions of the patch. The tick on a bar marks all classes.",
  );
  return h("div.hits", {}, rule, describeFit(fit));
}

/**
 * Say how many images the true boxes belong to, and what of them does not count.
 * @param {Fit} fit
 */
function describeFit({ run_images: all, run_images_with_objects: boxed, file_images: listed, ...rest }) {
  const { file_images_not_in_run: absent, notes } = rest;
  const known = `${count(boxed)} of the run's ${plural(all, "image")} have a true box`;
  const others = `; ${count(absent)} of the ${plural(listed, "image")} of boxes.json are not in the run.`;
  const unknown = absent ? others : ".";
  const noted = notes.map((note) => h("li", {}, `${note[0].toUpperCase()}${note.slice(1)}.`));
  return h("div.soft", {}, h("p.boxes-fit", {}, known, unknown), noted.length > 0 && h("ul.boxes-notes", {}, noted));
}

function explainMissingBoxes() {
  /** @param {string} text */
  const code = (text) => h("code.code", {}, text);
  return h(
    "div.card.no-boxes",
    {},
    h("h3", {}, "This run has no true boxes"),
    h(
      "p.soft",
      {},
      "With true boxes, each column shows how often its patches find the object. Put a ",
      code("boxes.json"),
      " in COCO format beside the run's ",
      code("run.json"),
      "; its file names are matched with the image ids. ",
      code("dsel toybox FOLDER"),
      " writes one for the scenes that it renders.",
    ),
  );
}
