// The form that starts a score job.

import { h } from "../lib/dom.js";
import { count, plural } from "../lib/format.js";
import { createFields, suggest } from "./form_fields.js";
import { SourceContents } from "./source_contents.js";
import { Sources, WHICH } from "./sources.js";

/** The settings that are always visible. */
/** @type {Record<string, string[]>} */
const VISIBLE = {
  prior: ["prior", "family"],
  source: ["per_class", "scene_seed"],
  score: ["timesteps", "draws", "prompt", "null_prompt"],
};
/** @type {{ title: string, form: string, names: string[] }[]} */
const FOLDED = [
  { title: "Which images", form: "source", names: WHICH },
  {
    title: "Noise, prompts and sizes",
    form: "score",
    names: ["antithetic", "most_draws", "keep", "tolerance", "names", "fit", "min_side_px", "noise_seed"],
  },
  {
    title: "The prior",
    form: "prior",
    names: [
      ...["resolution_px", "precision", "device", "lora", "revision", "labels", "null_class"],
      ...["backend", "low_memory"],
    ],
  },
  {
    title: "Features, shards and speed",
    form: "score",
    names: ["feature_timestep", "feature_grid", "feature_dim", "shard_size", "knowledge", "rows_per_call", "decoders"],
  },
  { title: "", form: "prior", names: ["feature_layer"] },
  { title: "", form: "launch", names: ["workers"] },
];
/** The settings of scoring that decide the prompts. */
const PROMPTS = ["prompt", "null_prompt", "names"];
const DEMO = "The demo prior ships with dsel.";
const ANY_PRIOR = `${DEMO} Or enter the folder or the Hub id of a diffusion model.`;

/**
 * The response of "score_options".
 * @typedef {import("./sources.js").Options & {
 *   priors: string[], known_classes: Record<string, string[]>, any_prior: boolean, evaluations: number,
 *   prior: FormField[], score: FormField[], launch: FormField[]
 * }} Options
 */
/** @typedef {import("./form_fields.js").Fields} Fields */

export class ScoreForm {
  /**
   * @param {App} app
   * @param {Options} options
   * @param {(token: string, isImage: boolean) => Promise<void>} started
   */
  constructor(app, options, started) {
    this.app = app;
    this.options = options;
    this.started = started;
    this.isBusy = false;
    const changed = () => this.update();
    this.sources = new Sources(app, options, changed, { eager: true });
    this.contents = new SourceContents(app, () => this.contentsParams(), changed);
    /** @type {Record<string, Fields>} */
    this.forms = {
      source: createFields(options.source, changed),
      prior: createFields(priorFields(options), changed),
      score: createFields(options.score, changed),
      launch: createFields(options.launch, changed),
    };
    this.summary = h("summary", {}, "More settings");
    this.folded = h(
      "details.more-settings",
      {},
      this.summary,
      FOLDED.map((one) => this.foldedPart(one)),
    );
    this.estimate = h("p.estimate.soft", { "aria-live": "polite" });
    this.problem = h("p.notice.bad.form-problem", { hidden: true, role: "alert" });
    this.known = h("p.hint.known", { "aria-live": "polite" });
    this.start = h("button.primary", { type: "submit" }, "Score");
    this.element = this.layout();
    this.element.addEventListener("submit", (event) => this.submit(event));
    const prior = this.forms.prior.get("prior");
    if (options.any_prior && prior) suggest(prior.control.input, options.priors);
    this.sources.turn(this.sources.kind);
  }

  layout() {
    const { sources, contents, options, folded, problem, start, estimate } = this;
    return h(
      "form.score-form.job-form.card",
      { "aria-label": "Score new images", noValidate: true },
      h("h2", {}, "Score new images"),
      sources.element,
      this.fields("source", VISIBLE.source),
      contents.element,
      h("h3", {}, "Prior"),
      this.fields("prior", VISIBLE.prior),
      h("p.hint", {}, options.any_prior ? ANY_PRIOR : DEMO),
      this.known,
      h("h3", {}, "Scoring"),
      this.fields("score", VISIBLE.score),
      [folded, problem],
      h("div.start-line", {}, start, estimate),
    );
  }

  /**
   * @param {string} form
   * @param {string[]} names
   */
  fields(form, names) {
    const elements = names.map((name) => this.forms[form].get(name)?.element).filter(Boolean);
    return h("div.fields", {}, elements);
  }

  /** @param {{ title: string, form: string, names: string[] }} part */
  foldedPart({ title, form, names }) {
    return [title && h("h3", {}, title), this.fields(form, names)];
  }

  /** Return what decides the contents of the source and their prompts; null where no source is chosen. */
  contentsParams() {
    const { forms, sources } = this;
    const source = sources.ready();
    if (!source) return null;
    const words = Object.entries(forms.score.values()).filter(([name]) => PROMPTS.includes(name));
    return { source, source_settings: forms.source.values(sources.settings()), score: Object.fromEntries(words) };
  }

  /** Suggest the classes of this run, and those of the toybox, for a single image. */
  suggestClasses() {
    const names = this.app.start.classes.map((one) => one.name);
    this.sources.suggestClasses([...names, ...this.options.toybox.classes]);
  }

  update() {
    if (!this.element) return;
    const { sources, forms, options } = this;
    const used = sources.settings();
    for (const field of forms.source.all) field.element.hidden = !used.includes(field.name);
    const perClass = forms.source.get("per_class");
    if (perClass) {
      const usual = sources.kind === "toybox" ? String(options.toybox.per_class) : "all of them";
      perClass.control.input.setAttribute("placeholder", usual);
    }
    const title = this.folded.querySelector("h3");
    if (title) title.hidden = !WHICH.some((name) => used.includes(name));
    const folded = FOLDED.flatMap(({ form, names }) => names.map((name) => forms[form].get(name)));
    const changed = folded.filter((field) => field?.isChanged()).length;
    this.summary.textContent = changed ? `More settings · ${changed} changed` : "More settings";
    this.contents.update();
    this.estimate.textContent = estimateText(sources, forms, options, this.contents.contents?.images);
    const known = options.known_classes[forms.prior.get("prior")?.value()] ?? [];
    sources.showKnown(known);
    this.known.textContent = known.length ? `It was trained on ${known.length} classes only: ${known.join(", ")}.` : "";
    this.start.textContent = sources.kind === "picture" ? "Score this image" : "Score";
    this.problem.hidden = true;
  }

  /** @param {SubmitEvent} event */
  async submit(event) {
    event.preventDefault();
    if (this.isBusy) return;
    const { app, forms, sources } = this;
    this.setBusy(true);
    try {
      const source = await sources.source();
      await this.contents.require();
      const values = { prior: forms.prior.values(), score: forms.score.values() };
      const params = {
        source,
        ...values,
        ...forms.launch.values(),
        source_settings: forms.source.values(sources.settings()),
      };
      const { token } = await app.ask("score_start", params, { run: "", view: "" });
      await this.started(token, source.kind === "picture");
    } catch (error) {
      this.fail(/** @type {import("../lib/rpc.js").RequestError} */ (error));
    }
    this.setBusy(false);
  }

  /**
   * Show an error, also at the field that it names.
   * @param {import("../lib/rpc.js").RequestError} error
   */
  fail({ message, fields }) {
    this.problem.textContent = message;
    this.problem.hidden = false;
    const field = this.allFields().find((one) => one.name === fields?.setting && !one.element.hidden);
    if (!field) return;
    if (this.folded.contains(field.element)) this.folded.open = true;
    field.mark(message);
    field.focus();
  }

  allFields() {
    return Object.values(this.forms).flatMap((form) => form.all);
  }

  /** @param {boolean} busy */
  setBusy(busy) {
    this.isBusy = busy;
    this.start.disabled = busy;
    if (!busy) return;
    this.problem.hidden = true;
    for (const field of this.allFields()) field.mark("");
  }
}

/**
 * Return the fields of the prior; a remote visitor chooses it from a list.
 * @param {Options} options
 * @returns {FormField[]}
 */
function priorFields({ any_prior: isFree, prior, priors }) {
  if (isFree) return prior;
  const choices = priors.map((one) => ({ value: one, label: one }));
  return prior.map((field) => (field.name === "prior" ? { ...field, kind: "choice", choices } : field));
}

/**
 * Describe how many evaluations one image takes under several names.
 * @param {number} names
 * @param {number} timesteps
 * @param {number} draws
 */
function namesText(names, timesteps, draws) {
  const product = `(${names} names + the null prompt) × ${plural(timesteps, "timestep")} × ${plural(draws, "draw")}`;
  return `${product} = ${count((names + 1) * timesteps * draws)} evaluations of the prior.`;
}

/**
 * Describe how many evaluations the job needs, as far as that is known.
 * @param {Sources} sources
 * @param {Record<string, Fields>} forms
 * @param {Options} options
 * @param {number} [listed] the images of the source, where its files were listed
 */
function estimateText(sources, forms, { evaluations: most }, listed) {
  /**
   * @param {string} form
   * @param {string} name
   */
  const value = (form, name) => forms[form].get(name)?.value();
  const [timesteps, draws] = [value("score", "timesteps").length, value("score", "draws")];
  const settings = {
    per_class: Number(value("source", "per_class")) || 0,
    classes: value("source", "classes") ?? [],
  };
  const images = sources.images(settings) ?? listed;
  const each = 2 * timesteps * draws;
  const atMost = 2 * timesteps * Math.max(draws, value("score", "most_draws"));
  if (!Number.isFinite(each) || !Number.isFinite(atMost)) return "";
  if (sources.names() > 1) return namesText(sources.names(), timesteps, draws);
  const limit = most ? `; at most ${count(most)} are allowed here` : "";
  /** @param {number} number */
  const spent = (number) =>
    each === atMost ? count(number * each) : `at least ${count(number * each)} and at most ${count(number * atMost)}`;
  const [steps, noises] = [plural(timesteps, "timestep"), plural(draws, "draw")];
  const product = `${steps} × ${noises} × 2`;
  if (images == null) return `${product} = ${spent(1)} evaluations of the prior for each image${limit}.`;
  const first = `${plural(images, "image")} × ${product}`;
  return `${first} = ${spent(images)} evaluations of the prior${limit}.`;
}
