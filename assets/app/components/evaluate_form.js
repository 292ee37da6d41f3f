// The form that starts an evaluation of the current settings, or a search for better ones, on held-out images.

import { h } from "../lib/dom.js";
import { duration, plural } from "../lib/format.js";
import { availableBaselines, createBaselineChoices } from "./baseline_choices.js";
import { createFields } from "./form_fields.js";
import { createSegments } from "./segments.js";
import { Sources, WHICH } from "./sources.js";

const VISIBLE = ["student", "recipe", "steps", "seeds", "ipcs"];
const OWN = ["baselines", "ipcs"];
/** @type {Record<string, string>} */
const KINDS = { zip: "Zip file", folder: "Folder", toybox: "Toybox" };
const MODES = [
  { value: "evaluate", label: "Evaluate" },
  { value: "advise", label: "Advise" },
];
/** @type {Record<string, { title: string, intro: string, hint: string, start: string }>} */
const WORDS = {
  evaluate: {
    title: "Evaluate these settings",
    intro:
      "Students are trained from scratch on the distilled set and on the baselines, at equal budget, and tested on " +
      "images that were held out.",
    hint: "Held-out images have the classes of this run, and none of its images.",
    start: "Start the evaluation",
  },
  advise: {
    title: "Find better settings",
    intro:
      "Students are trained on the sets of a dozen settings; each round keeps the better half. Further students then " +
      "compare the best settings with random whole images.",
    hint: "Images that settings are chosen by cannot test them any more: choose others than for evaluations.",
    start: "Start the search",
  },
};

/** @typedef {import("./form_fields.js").Fields} Fields */
/** @typedef {import("./baseline_choices.js").Baseline} Baseline */
/**
 * The response of "evaluate_options".
 * @typedef {import("./sources.js").Options & {
 *   evaluate: FormField[], advise: FormField[], teacher: FormField[], baselines: Baseline[],
 *   is_toybox: boolean, scene_seed: number
 * }} Options
 */
/** @typedef {{ students: number, steps: number, student: string }} Work */

export class EvaluateForm {
  /**
   * @param {App} app
   * @param {Options} options
   * @param {(kind: string, token: string, work: Work) => Promise<void>} started
   */
  constructor(app, options, started) {
    this.app = app;
    this.options = options;
    this.started = started;
    this.isBusy = false;
    this.mode = "evaluate";
    const changed = () => this.update();
    this.sources = new Sources(app, options, changed, { label: "Where the held-out images come from", labels: KINDS });
    this.source = createFields(options.source, changed);
    const fields = options.evaluate.filter(({ name }) => name !== "baselines").map(withPlaceholder);
    this.evaluate = createFields(fields, changed);
    this.advise = createFields(options.advise, changed);
    this.teacher = createFields(options.teacher, changed);
    const available = { objects: app.start.run.objects, teacher: options.teacher.length > 0 };
    this.baselines = createBaselineChoices(availableBaselines(options.baselines, available), changed);
    this.modes = createSegments("What to do", MODES, (mode) => this.turn(mode));
    this.modes.element.hidden = !options.advise.length;
    this.title = h("h2", {});
    this.intro = h("p.hint", {});
    this.hint = h("p.hint", {});
    this.summary = h("summary", {}, "More settings");
    this.estimate = h("p.estimate.soft", { "aria-live": "polite" });
    this.problem = h("p.notice.bad.form-problem", { hidden: true, role: "alert" });
    this.start = h("button.primary", { type: "submit" });
    this.folded = this.createFolded();
    this.element = this.layout();
    this.element.addEventListener("submit", (event) => this.submit(event));
    this.sources.turn(options.is_toybox ? "toybox" : this.sources.kinds[0]);
    this.turn(this.mode);
  }

  createFolded() {
    const names = this.evaluate.all.map((field) => field.name).filter((name) => !VISIBLE.includes(name));
    const more = [elementsOf(this.source, WHICH), elementsOf(this.evaluate, names)];
    return h("details.more-settings", {}, this.summary, more);
  }

  layout() {
    const { sources, source, evaluate, advise, baselines, teacher, folded, problem, start, estimate } = this;
    const names = advise.all.map((field) => field.name);
    this.search = h("div.form-part", {}, h("h3", {}, "Search"), elementsOf(advise, names));
    this.compared = h("div.form-part", {}, h("h3", {}, "Compare with"), baselines.element);
    return h(
      "form.job-form.card",
      { noValidate: true },
      this.modes.element,
      this.title,
      this.intro,
      h("h3", {}, "Held-out images"),
      sources.element,
      elementsOf(source, ["per_class", "scene_seed"]),
      this.hint,
      h("h3", {}, "Students"),
      elementsOf(evaluate, VISIBLE),
      [this.compared, this.search, elementsOf(teacher, ["teacher"]), folded, problem],
      h("div.start-line", {}, start, estimate),
    );
  }

  /** @param {string} mode */
  turn(mode) {
    this.mode = mode;
    this.modes.show(mode);
    const { title, intro, hint, start } = WORDS[mode];
    this.element.setAttribute("aria-label", title);
    this.title.textContent = title;
    this.intro.textContent = intro;
    this.hint.textContent = hint;
    this.start.textContent = start;
    this.source.get("scene_seed")?.control.input.setAttribute("placeholder", String(this.seed()));
    this.update();
  }

  /** Return the seed of scenes that neither the run nor the other kind of job has by itself. */
  seed() {
    return this.options.scene_seed + (this.mode === "advise" ? 1 : 0);
  }

  update() {
    if (!this.element) return;
    const { sources, source, evaluate, app, mode } = this;
    const isAdvice = mode === "advise";
    const used = sources.settings();
    for (const field of source.all) field.element.hidden = !used.includes(field.name);
    for (const name of OWN) evaluate.get(name)?.element.toggleAttribute("hidden", isAdvice);
    this.compared?.toggleAttribute("hidden", isAdvice);
    this.search?.toggleAttribute("hidden", !isAdvice);
    const asksTeacher = evaluate.get("recipe")?.value() === "soft" || (!isAdvice && this.baselines.asksTeacher());
    for (const field of this.teacher.all) field.element.hidden = !asksTeacher;
    const usual = sources.kind === "toybox" ? String(this.options.toybox.per_class) : "all of them";
    source.get("per_class")?.control.input.setAttribute("placeholder", usual);
    const folded = this.fields().filter((field) => this.folded.contains(field.element));
    const changed = folded.filter((field) => field.isChanged()).length;
    this.summary.textContent = changed ? `More settings · ${changed} changed` : "More settings";
    this.estimate.textContent = isAdvice ? this.searchText() : estimateText(this.work(), app);
    this.problem.hidden = true;
  }

  searchText() {
    const [most, rounds] = ["candidates", "rungs"].map((name) => this.advise.get(name)?.value());
    return `At most ${plural(most, "candidate")} in ${plural(rounds, "round")}.`;
  }

  /**
   * Return how many students are trained for how many steps.
   * @returns {Work}
   */
  work() {
    const [seeds, steps, ipcs] = ["seeds", "steps", "ipcs"].map((name) => this.evaluate.get(name)?.value());
    const sets = 1 + this.baselines.value().length;
    const students = sets * Math.max(ipcs.length, 1) * Number(seeds);
    return { students, steps: Number(steps), student: this.evaluate.get("student")?.value() };
  }

  /** @param {SubmitEvent} event */
  async submit(event) {
    event.preventDefault();
    if (this.isBusy) return;
    this.setBusy(true);
    const { mode } = this;
    try {
      const { token } = await this.app.ask(`${mode}_start`, await this.params());
      await this.started(mode, token, this.work());
    } catch (error) {
      this.fail(/** @type {import("../lib/rpc.js").RequestError} */ (error));
    }
    this.setBusy(false);
  }

  async params() {
    const { sources, source, evaluate, advise, baselines, teacher, mode } = this;
    const source_settings = source.values(sources.settings());
    if (sources.kind === "toybox") source_settings.scene_seed ??= this.seed();
    const values = evaluate.values();
    for (const name of mode === "advise" ? OWN : []) delete values[name];
    const own =
      mode === "advise"
        ? { student: values, advise: advise.values() }
        : { evaluate: { ...values, baselines: baselines.value() } };
    return { source: await sources.source(), source_settings, ...own, teacher: teacher.values().teacher ?? "" };
  }

  /**
   * Show an error, also at the field that it names.
   * @param {import("../lib/rpc.js").RequestError} error
   */
  fail({ message, fields }) {
    this.problem.textContent = message;
    this.problem.hidden = false;
    const field = this.fields().find((one) => one.name === fields?.setting && !one.element.hidden);
    if (!field) return;
    if (this.folded.contains(field.element)) this.folded.open = true;
    field.mark(message);
    field.focus();
  }

  /** @param {boolean} busy */
  setBusy(busy) {
    this.isBusy = busy;
    this.start.disabled = busy;
    if (!busy) return;
    this.problem.hidden = true;
    for (const field of this.fields()) field.mark("");
  }

  fields() {
    return [...this.source.all, ...this.evaluate.all, ...this.advise.all, ...this.teacher.all];
  }
}

/** @param {FormField} field */
function withPlaceholder(field) {
  return field.name === "ipcs" ? { ...field, placeholder: "the IPC of the settings" } : field;
}

/**
 * @param {Fields} fields
 * @param {string[]} names
 */
function elementsOf(fields, names) {
  const elements = names.map((name) => fields.get(name)?.element).filter(Boolean);
  return h("div.fields", {}, elements);
}

/**
 * Describe how much is trained, and how long that takes if an earlier evaluation shows it.
 * @param {Work} work
 * @param {App} app
 */
function estimateText({ students, steps, student }, app) {
  if (!Number.isFinite(students * steps)) return "";
  const text = `${plural(students, "student")} of ${plural(steps, "step")}`;
  const rate = secondsPerStep(app, student);
  return rate ? `${text}, about ${duration(rate * students * steps)} at the speed of the last evaluation.` : `${text}.`;
}

/**
 * Return the seconds that a step of a student took in the last evaluation of this visitor, or 0.
 * @param {App} app
 * @param {string} student
 */
function secondsPerStep(app, student) {
  for (const { report, work } of app.jobs.of("evaluate")) {
    const seconds = report.finished - (report.started ?? report.finished);
    if (report.state === "done" && work?.student === student) return seconds / (work.students * work.steps);
  }
  return 0;
}
