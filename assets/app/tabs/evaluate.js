// Evaluate: what the distilled set is worth, measured by students that are trained on it and on baselines.

import { AccuracyPlot } from "../components/accuracy_plot.js";
import { createAdviceCard } from "../components/advice_card.js";
import { createCode } from "../components/code_line.js";
import { EvaluateForm } from "../components/evaluate_form.js";
import { createEvaluationList } from "../components/evaluation_list.js";
import { OpenJobs } from "../components/open_jobs.js";
import { createSegments } from "../components/segments.js";
import { createSelect, SweepMap } from "../components/sweep_map.js";
import { showVerdict } from "../components/verdict.js";
import { empty, fill, h, stylesheet } from "../lib/dom.js";
import { distinctions, FILTERS, filterFor, passing, seriesOf, valuesOf } from "../lib/evaluations.js";
import { same } from "../lib/links.js";
import { loadPlotly, onThemeChange } from "../lib/plotly.js";
import { differing, labelOf, textOf } from "../lib/settings_text.js";

stylesheet(new URL("../components/job_card.css", import.meta.url));
stylesheet(new URL("../components/job_form.css", import.meta.url));
stylesheet(new URL("./evaluate.css", import.meta.url));

const MOST_DIFFERENCES = 3;
const SCOPES = [
  { value: "all", label: "All settings" },
  { value: "current", label: "These settings" },
];
/** @type {Record<string, string>} */
const LABELS = { student: "Student", recipe: "Labels", test: "Tested on" };
/** @type {Record<string, string>} */
const RECIPES = { hard: "class labels", soft: "teacher's labels" };
const EMPTY = "Whether this set trains better models than random images is not known until students are trained on it.";

/** @typedef {import("../lib/evaluations.js").Evaluation} Evaluation */
/** @typedef {import("../lib/evaluations.js").Filter} Filter */
/** @typedef {import("../lib/evaluations.js").Verdict} Verdict */
/** @typedef {import("../components/advice_card.js").Advice} Advice */
/**
 * The response of "evaluations".
 * @typedef {object} Stored
 * @property {Evaluation[]} evaluations
 * @property {Advice[]} advice
 * @property {Verdict} verdict
 * @property {string} command
 * @property {string[]} placeholders
 */

/** @type {Tab} */
export const tab = { mount: (root, app) => new EvaluateTab(root, app) };

class EvaluateTab {
  /**
   * @param {HTMLElement} root
   * @param {App} app
   */
  constructor(root, app) {
    this.app = app;
    this.run = "";
    /** @type {Stored | null} */
    this.stored = null;
    /** @type {Evaluation[]} */
    this.evaluations = [];
    /** @type {Filter | null} the choice of the visitor, if there was one */
    this.filter = null;
    /** @type {AccuracyPlot | null} */
    this.plot = null;
    /** @type {Map<string, string>} how far each job was */
    this.followed = new Map();
    this.verdict = h("p.verdict", { role: "status" });
    this.filters = h("div.filters", {});
    this.place = h("div.plot-place", {});
    this.nothing = createNothing(app);
    this.chart = h("section.card.chart", { "aria-label": "Accuracy" }, this.filters, this.place);
    this.list = createEvaluationList(
      (evaluation) => this.load(evaluation),
      (evaluation) => this.selectText(evaluation),
    );
    this.advice = createAdviceCard(
      (advice) => this.load(advice),
      (select) => this.selectText({ current: false, select }),
    );
    this.sweep = new SweepMap(app);
    this.jobs = new OpenJobs(app, ["evaluate", "advise"], (report) => this.follow(report));
    this.formPlace = h("div.form-place", {});
    /** @type {EvaluateForm | null} */
    this.form = null;
    fill(root, this.layout());
    onThemeChange(() => this.plot?.updateTheme());
    app.jobs.subscribe(() => this.jobs.show());
  }

  layout() {
    const { nothing, chart, list, advice, sweep, jobs, formPlace } = this;
    const title = h("h2", {}, "Does this set train better models than random images?");
    const head = h("div.evaluate-head", {}, title, this.verdict);
    const main = h("div.evaluate-main", {}, head, nothing.element, chart, list.element, advice.element, sweep.element);
    return h("div.evaluate", {}, main, h("div.evaluate-side", {}, jobs.element, formPlace));
  }

  /** @param {Change} change */
  async show(change) {
    this.jobs.show();
    const { run } = this.app.store.state;
    const work = [];
    if (change.has("run") || !this.form || run !== this.run) {
      this.run = run;
      this.filter = null;
      work.push(this.openForm(), this.requestSweeps());
    } else if (change.has("select")) this.sweep.paint();
    if (["run", "select"].some((key) => change.has(key))) work.push(this.request());
    await Promise.all(work);
  }

  async openForm() {
    const { app } = this;
    try {
      const options = await app.ask("evaluate_options");
      this.form = new EvaluateForm(app, options, (kind, token, work) => this.started(kind, token, work));
      fill(this.formPlace, this.form.element);
    } catch (error) {
      fill(this.formPlace, empty("Nothing can be evaluated here", `${/** @type {Error} */ (error).message}.`));
    }
  }

  async requestSweeps() {
    const found = await this.app.latest("sweeps", () => this.app.ask("sweeps"));
    if (found) this.sweep.show(found.sweeps);
  }

  async request() {
    const { app } = this;
    const tokens = app.jobs.tokens("evaluate");
    /** @type {Stored | undefined} */
    const found = await app.latest("evaluations", () => app.ask("evaluations", { tokens }));
    if (!found || same(found, this.stored)) return;
    this.stored = found;
    this.evaluations = found.evaluations;
    this.nothing.show(found);
    this.advice.show(found.advice.at(-1));
    showVerdict(this.verdict, found.verdict);
    await this.paint();
  }

  async paint() {
    const { evaluations, app } = this;
    this.chart.hidden = !evaluations.length;
    const filter = this.filter ?? filterFor(evaluations);
    this.showFilters(filter);
    const shown = passing(evaluations, filter);
    this.list.show(shown);
    if (!evaluations.length) return;
    const series = seriesOf(
      shown,
      distinctions(shown, (one) => this.selectText(one) || "these settings"),
    );
    if (!series.length) {
      fill(this.place, empty("No such evaluation", "Choose others above, or start one for these settings."));
      return;
    }
    this.plot ??= new AccuracyPlot(await loadPlotly(app.files.plotly));
    fill(this.place, this.plot.element);
    await this.plot.show(series);
  }

  /** @param {Filter} filter */
  showFilters(filter) {
    /** @param {Partial<Filter>} change */
    const turn = (change) => {
      this.filter = { ...filter, ...change };
      this.app.attempt(() => this.paint());
    };
    const lists = FILTERS.map((key) => {
      const values = valuesOf(this.evaluations, key);
      if (values.length < 2) return null;
      const options = values.map((value) => ({ value, label: RECIPES[value] ?? value }));
      const all = { value: "", label: "all" };
      return createSelect(LABELS[key], [...options, all], filter[key], (value) => turn({ [key]: value }));
    });
    const scope = createSegments("Settings", SCOPES, (value) => turn({ scope: value }));
    scope.show(filter.scope);
    fill(this.filters, lists, h("span.grow"), scope.element);
  }

  /**
   * Describe where the settings of an evaluation differ from the current ones; "" where they do not.
   * @param {Pick<Evaluation, "current" | "select">} evaluation
   */
  selectText({ current, select }) {
    const { app } = this;
    if (current) return "";
    if (!select) return "unknown settings";
    const names = differing(app, app.store.state.select, select).filter((name) => name !== "ipc");
    const texts = names.map((name) => `${labelOf(app, name).toLowerCase()} ${textOf(app, name, select)}`);
    const more = texts.length > MOST_DIFFERENCES ? [`${texts.length - MOST_DIFFERENCES} more`] : [];
    return [...texts.slice(0, MOST_DIFFERENCES), ...more].join(", ");
  }

  /**
   * Load the settings of an evaluation or of advice; the IPC stays unless it was not evaluated.
   * @param {{ fingerprint: string, select: SelectSettings | null, rows?: { ipc: number }[] }} found
   */
  load({ fingerprint, select, rows = [] }) {
    if (!select) return;
    const { store } = this.app;
    const { ipc } = store.state.select;
    const keeps = rows.some((row) => row.ipc === ipc);
    const { teacher } = store.state.select; // which no link can contain
    store.select({ ...select, teacher, ipc: keeps ? ipc : select.ipc }, `evaluation ${fingerprint}`);
  }

  /**
   * @param {string} kind
   * @param {string} token
   * @param {import("../components/evaluate_form.js").Work} work
   */
  async started(kind, token, work) {
    await this.app.jobs.add(kind, token, { work });
    this.jobs.reveal(token);
  }

  /**
   * Show what a job stores: each student as it finishes.
   * @param {Report} report
   */
  follow({ token, state, stage, done, finished }) {
    const stored = state === "running" && stage === "evaluate" ? done : 0;
    const key = `${state} ${stored} ${finished}`;
    const before = this.followed.get(token);
    this.followed.set(token, key);
    if (before !== undefined && before !== key) this.app.attempt(() => this.request());
  }
}

/**
 * Create what is shown where nothing was evaluated: how to begin.
 * @param {App} app
 */
function createNothing(app) {
  const command = createCode(app, "Command", "the command");
  const hint = h("p.hint", {});
  const element = h(
    "section.card.nothing",
    { "aria-label": "Not evaluated yet", hidden: true },
    h("h3", {}, "Not evaluated yet"),
    h("p", {}, EMPTY),
    h("p", {}, "Start an evaluation here, or on the command line:"),
    command.element,
    hint,
  );
  return {
    element,
    /** @param {Stored} stored */
    show({ evaluations, command: text, placeholders }) {
      element.hidden = evaluations.length > 0;
      command.show(text.split(/(?<= && )/));
      /** @type {Record<string, string>} */
      const meanings = { RUN: "the folder of this run", TEST: "a folder of held-out images of the same classes" };
      hint.textContent = placeholders.map((word) => `Replace ${word} by ${meanings[word]}.`).join(" ");
      hint.hidden = !placeholders.length;
    },
  };
}
