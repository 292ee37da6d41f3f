// A job: its stage, its progress and its speed, its notices, and its buttons.

import { fill, h, write } from "../lib/dom.js";
import { count, duration, number, plural } from "../lib/format.js";
import { isActive } from "../lib/jobs.js";
import { createTable } from "./dialog.js";
import { DELETE_HELP, deleteJob, HIDE_HELP } from "./job_changes.js";
import { createWorkers } from "./job_workers.js";

/** @type {Record<string, string>} */
const STAGES = {
  open: "Opening the source",
  gpu: "Waiting for a GPU of the Space",
  load: "Loading the prior",
  verify: "Reading what is finished",
  score: "Scoring",
  choose: "Finding the images that need further draws",
  round: "Scoring them with further draws",
  layout: "Computing the layout",
  map: "Computing the map",
  select: "Selecting",
  export: "Writing images",
  push: "Sending it to the Hub",
  report: "Writing the report",
  "held-out images": "Reading held-out images",
  compose: "Composing the sets",
  evaluate: "Training students",
  advise: "Training students of candidates",
};
/** @type {Record<string, string>} */
const STATES = {
  waiting: "waiting",
  running: "running",
  done: "done",
  failed: "failed",
  cancelled: "cancelled",
  interrupted: "interrupted: the app ended",
};

/** What helps where something is used up. @type {Record<string, string[]>} */
const ADVICE = {
  gpu: [
    "Only scoring needs the GPU: all other tabs work as before.",
    "Guests have the least GPU time: log in at huggingface.co, open the Space again, and press Resume.",
    "On a machine of your own there are no such limits: install dsel there.",
  ],
};

/** A card that `show(report)` keeps up to date; `ended(report)` returns what a finished job offers. */
export class JobCard {
  /**
   * @param {App} app
   * @param {(report: Report) => HTMLElement[]} [ended]
   */
  constructor(app, ended = () => []) {
    this.app = app;
    this.ended = ended;
    /** @type {Report | null} */
    this.report = null;
    this.endKey = "";
    this.title = h("h3.job-title");
    this.state = h("span.state", { role: "status" });
    this.bar = h("progress", { max: 1 });
    this.stage = h("span.stage-name");
    this.pace = h("span.pace");
    this.progress = h("div.progress", {}, this.bar, h("p.job-line", {}, this.stage, this.pace));
    this.queue = h("p.job-line.job-queue", { hidden: true });
    this.problem = h("p.notice.bad", { hidden: true, role: "alert" });
    this.advice = h("ul.job-advice", { hidden: true, "aria-label": "What helps" });
    this.notices = h("details.job-notices", { hidden: true });
    this.workers = createWorkers();
    this.more = h("span.job-more");
    this.cancel = this.button("button", "Cancel", ({ token }) => app.jobs.cancel(token));
    this.resume = this.button("button", "Resume", ({ token }) => app.jobs.resume(token));
    this.skipped = this.button("link", "", (report) => showSkips(app, report));
    this.forget = this.button("quiet", "Hide", ({ token }) => app.jobs.forget(token));
    this.forget.title = HIDE_HELP;
    this.remove = this.button("quiet.danger", "Delete …", (report) => deleteJob(app, report));
    this.remove.title = DELETE_HELP;
    const { more, cancel, resume, skipped, forget, remove, title, state, progress, notices } = this;
    const problem = [this.queue, this.problem, this.advice];
    const workers = this.workers.element;
    const acts = h("div.job-acts", {}, more, cancel, resume, skipped, h("span.job-ends", {}, forget, remove));
    const head = h("div.job-head", {}, title, state);
    this.element = h("article.job", {}, head, progress, problem, workers, notices, acts);
  }

  /**
   * @param {"button" | "link" | "quiet" | "quiet.danger"} kind
   * @param {string} label
   * @param {(report: Report) => unknown} action
   */
  button(kind, label, action) {
    return h(`button.${kind}`, { type: "button", onclick: () => this.report && action(this.report) }, label);
  }

  /** @param {Report} report */
  show(report) {
    this.report = report;
    const { title, state, error, quota, place, skipped, stopping, resumable, notices } = report;
    this.element.dataset.state = state;
    this.element.setAttribute("aria-label", title);
    write(this.title, title);
    this.title.title = title;
    write(this.state, stateText(report));
    this.showProgress(report);
    this.queue.hidden = !place;
    write(this.queue, place ? queueText(place) : "");
    this.problem.hidden = !error;
    write(this.problem, error);
    this.showAdvice(quota);
    this.showNotices(notices);
    this.workers.show(report);
    this.skipped.hidden = !skipped;
    write(this.skipped, `${plural(skipped, "image")} skipped`);
    this.cancel.hidden = !isActive(report) || stopping;
    this.resume.hidden = !resumable;
    this.forget.hidden = isActive(report);
    this.remove.hidden = isActive(report) || !report.mine;
    const endKey = `${state} ${report.finished}`;
    if (endKey !== this.endKey) fill(this.more, this.ended(report));
    this.endKey = endKey;
  }

  /** @param {string} quota what was used up, if that is why the job failed */
  showAdvice(quota) {
    const { advice } = this;
    if (advice.dataset.quota === quota) return;
    advice.dataset.quota = quota;
    const texts = ADVICE[quota] ?? [];
    advice.hidden = !texts.length;
    fill(
      advice,
      texts.map((text) => h("li", {}, text)),
    );
  }

  /** @param {string[]} texts */
  showNotices(texts) {
    const { notices } = this;
    if (notices.dataset.count === String(texts.length)) return;
    notices.dataset.count = String(texts.length);
    notices.hidden = !texts.length;
    const items = texts.map((text) => h("li", {}, text));
    fill(notices, h("summary", {}, plural(texts.length, "notice")), h("ul", {}, items));
  }

  /** @param {Report} report */
  showProgress(report) {
    const { state, done, total, unit, title, stage } = report;
    const active = isActive(report);
    const isCounted = total > 1;
    this.progress.hidden = state === "done" || state === "waiting" || (!active && !stage);
    this.bar.setAttribute("aria-label", `Progress of ${title}`);
    if (isCounted || !active) this.bar.value = total ? done / total : 0;
    else this.bar.removeAttribute("value");
    const name = stage ? (STAGES[stage] ?? stage) : "Starting";
    const counts = isCounted ? ` · ${count(done)} of ${count(total)} ${unit}` : "";
    const lost = this.app.jobs.isLost() ? " · the app does not answer" : "";
    write(this.stage, `${active ? name : `stopped during ${name[0].toLowerCase()}${name.slice(1)}`}${counts}${lost}`);
    write(this.pace, active ? paceText(report) : "");
  }
}

/** @param {Report} report */
function stateText({ state, stopping, place }) {
  if (stopping) return "stopping after this step";
  return state === "waiting" && place ? `place ${place} in the queue` : STATES[state];
}

/**
 * Say what a waiting job waits for.
 * @param {number} place
 */
function queueText(place) {
  const others = place > 1 ? ` and ${plural(place - 1, "job")} before it in the queue` : "";
  const why = "the jobs of all visitors run in turn";
  return `It starts after the job that is running${others}: ${why}. You can close the page meanwhile.`;
}

/** @param {Report} report */
function paceText({ per_second: rate, left_s: left, unit }) {
  if (rate == null) return "";
  const pace = rate >= 0.1 ? `${number(rate)} ${unit}/s` : `${number(60 * rate)} ${unit}/min`;
  return left == null ? pace : `${pace} · ${duration(left)} left`;
}

/**
 * Show the images that could not be scored, with the reasons.
 * @param {App} app
 * @param {Report} report
 */
export function showSkips(app, { title, skipped, skips }) {
  const rows = skips.map(({ id, reason }) => h("tr", {}, h("th", { scope: "row" }, id), h("td", {}, reason)));
  const left = skipped - skips.length;
  const more = left > 0 && h("p.soft", {}, `and ${plural(left, "image")} more`);
  app.dialog(`Skipped images of ${title}`, createTable(["Image", "Reason"], rows), more);
}
