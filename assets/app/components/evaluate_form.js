// The form that starts an evaluation of the current settings: held-out images, students, and what to compare with.

import { fill, h, uid } from "../lib/dom.js";
import { duration, plural } from "../lib/format.js";
import { createFields } from "./form_fields.js";
import { Sources } from "./sources.js";

const VISIBLE = ["student", "recipe", "steps", "seeds", "ipcs"];
const FOLDED_SOURCE = ["split", "classes"];
/** @type {Record<string, string>} */
const KINDS = { zip: "Zip file", folder: "Folder", toybox: "Toybox" };
const REQUIRED = "random-whole";
const INTRO =
  "Students are trained from scratch on the distilled set and on the baselines, at equal budget, and tested on " +
  "images that were held out.";
const TEST_HINT = "They must have the classes of this run, and none of its images.";

/** @typedef {import("./form_fields.js").Fields} Fields */
/**
 * The response of "evaluate_options".
 * @typedef {import("./sources.js").Options & {
 *   evaluate: FormField[], teacher: FormField[], baselines: Baseline[], is_toybox: boolean, scene_seed: number
 * }} Options
 */
/** @typedef {{ name: string, text: string, needs: "" | "teacher" | "objects" }} Baseline */
/** @typedef {{ students: number, steps: number, student: string }} Work */

export class EvaluateForm {
  /**
   * @param {App} app
   * @param {Options} options
   * @param {(token: string, work: Work) => Promise<void>} started
   */
  constructor(app, options, started) {
    this.app = app;
    this.options = options;
    this.started = started;
    this.isBusy = false;
    const changed = () => this.update();
    this.sources = new Sources(app, options, changed, { label: "Where the held-out images come from", labels: KINDS });
    this.source = createFields(withUnusedSeed(options), changed);
    this.evaluate = createFields(
      options.evaluate.filter(({ name }) => name !== "baselines").map(withPlaceholder),
      changed,
    );
    this.teacher = createFields(options.teacher, changed);
    this.baselines = createBaselines(availableBaselines(app, options), changed);
    this.summary = h("summary", {}, "More settings");
    const names = this.evaluate.all.map((field) => field.name).filter((name) => !VISIBLE.includes(name));
    const more = [elementsOf(this.source, FOLDED_SOURCE), elementsOf(this.evaluate, names)];
    this.folded = h("details.more-settings", {}, this.summary, more);
    this.estimate = h("p.estimate.soft", { "aria-live": "polite" });
    this.problem = h("p.notice.bad.form-problem", { hidden: true, role: "alert" });
    this.start = h("button.primary", { type: "submit" }, "Evaluate");
    this.element = this.layout();
    this.element.addEventListener("submit", (event) => this.submit(event));
    this.sources.turn(options.is_toybox ? "toybox" : this.sources.kinds[0]);
  }

  layout() {
    const { sources, source, evaluate, baselines, teacher, folded, problem, start, estimate } = this;
    return h(
      "form.job-form.card",
      { "aria-label": "Evaluate these settings", noValidate: true },
      h("h2", {}, "Evaluate these settings"),
      h("p.hint", {}, INTRO),
      h("h3", {}, "Held-out images"),
      sources.element,
      elementsOf(source, ["per_class", "scene_seed"]),
      h("p.hint", {}, TEST_HINT),
      h("h3", {}, "Students"),
      elementsOf(evaluate, VISIBLE),
      h("h3", {}, "Compare with"),
      baselines.element,
      elementsOf(teacher, ["teacher"]),
      [folded, problem],
      h("div.start-line", {}, start, estimate),
    );
  }

  update() {
    if (!this.element) return;
    const { sources, source, evaluate, app } = this;
    const used = sources.settings();
    for (const field of source.all) field.element.hidden = !used.includes(field.name);
    const asksTeacher = evaluate.get("recipe")?.value() === "soft" || this.baselines.asksTeacher();
    for (const field of this.teacher.all) field.element.hidden = !asksTeacher;
    const perClass = source.get("per_class")?.control.input;
    const usual = sources.kind === "toybox" ? String(this.options.toybox.per_class) : "all of them";
    perClass?.setAttribute("placeholder", usual);
    const folded = [...source.all, ...evaluate.all].filter((field) => this.folded.contains(field.element));
    const changed = folded.filter((field) => field.isChanged()).length;
    this.summary.textContent = changed ? `More settings · ${changed} changed` : "More settings";
    this.estimate.textContent = estimateText(this.work(), app);
    this.problem.hidden = true;
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
    try {
      const { token } = await this.app.ask("evaluate_start", await this.params());
      await this.started(token, this.work());
    } catch (error) {
      this.fail(/** @type {import("../lib/rpc.js").RequestError} */ (error));
    }
    this.setBusy(false);
  }

  async params() {
    const { sources, source, evaluate, baselines, teacher } = this;
    const source_settings = source.values(sources.settings());
    if (sources.kind === "toybox") source_settings.scene_seed = source.get("scene_seed")?.value();
    const values = { ...evaluate.values(), baselines: baselines.value() };
    const named = teacher.values().teacher ?? "";
    return { source: await sources.source(), source_settings, evaluate: values, teacher: named };
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
    return [...this.source.all, ...this.evaluate.all, ...this.teacher.all];
  }
}

/**
 * Let the seed of the scenes default to one that the run itself does not have.
 * @param {Options} options
 */
function withUnusedSeed({ source, scene_seed: seed }) {
  return source.map((field) => (field.name === "scene_seed" ? { ...field, default: seed } : field));
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
 * Return the baselines that this run and this visitor have what is needed for.
 * @param {App} app
 * @param {Options} options
 */
function availableBaselines({ start }, { baselines, teacher }) {
  return baselines.filter(({ needs }) => {
    if (needs === "objects") return start.run.objects;
    return needs !== "teacher" || teacher.length > 0;
  });
}

/**
 * Create a list of baselines to tick; random whole images are always among them, as the yardstick.
 * @param {Baseline[]} baselines
 * @param {() => void} changed
 */
function createBaselines(baselines, changed) {
  const inputs = baselines.map(({ name }) => {
    const isRequired = name === REQUIRED;
    return h("input", { type: "checkbox", id: uid(name), value: name, checked: isRequired, disabled: isRequired });
  });
  for (const input of inputs) input.addEventListener("change", changed);
  const rows = baselines.map(({ name, text }, n) => {
    const label = h("label", { htmlFor: inputs[n].id, title: text }, name.replaceAll("-", " "));
    return h("li", {}, inputs[n], label);
  });
  return {
    element: fill(h("ul.baseline-choices", {}), rows),
    value: () => inputs.filter((input) => input.checked).map((input) => input.value),
    asksTeacher: () => baselines.some(({ needs }, n) => needs === "teacher" && inputs[n].checked),
  };
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
