// Jobs of this visitor: the browser stores their tokens, so that a reloaded page finds them again.

import { plural } from "./format.js";
import { recall, remember } from "./storage.js";

const KEY = "dsel-jobs";
/** @type {Record<string, number>} */
const LIMITS = { score: 10, export: 4, push: 4, report: 2, evaluate: 6, advise: 3 };
/** @type {Record<string, string>} */
const TABS = { advise: "evaluate", push: "export", report: "export" };
/** @type {Record<string, string>} */
const NOUNS = {
  export: "The export of ",
  push: "The push of ",
  report: "The ",
  evaluate: "The evaluation of ",
  advise: "The ",
};
const POLL_MS = 1000;
const EAGER_MS = 350;
const LOST_MS = 4000;

/** @typedef {{ kind: string, token: string, [name: string]: any }} Known */

/**
 * Return whether a job is not over yet.
 * @param {Report | undefined} report
 */
export function isActive(report) {
  return report?.state === "waiting" || report?.state === "running";
}

/** Polls jobs once a second while one is active and the page is visible. */
export class JobList {
  /** @param {App} app */
  constructor(app) {
    this.app = app;
    /** @type {Map<string, Report>} */
    this.reports = new Map();
    /** @type {Set<() => void>} */
    this.listeners = new Set();
    this.known = stored();
    this.timer = 0;
    this.lost = false;
    this.eager = "";
    /** The jobs that are being deleted here. @type {Set<string>} */
    this.deleted = new Set();
    document.addEventListener("visibilitychange", () => document.hidden || this.poll());
    addEventListener("storage", (event) => {
      if (event.key !== KEY) return;
      this.known = stored();
      this.poll();
    });
  }

  /**
   * Return the jobs of a kind, the newest first.
   * @param {string} kind
   */
  of(kind) {
    const found = this.known.filter((one) => one.kind === kind && this.reports.has(one.token));
    return found.map((one) => /** @type {Job} */ ({ ...one, report: this.reports.get(one.token) }));
  }

  /**
   * Return the tokens of all jobs of a kind, also of those that were not asked about yet.
   * @param {string} kind
   */
  tokens(kind) {
    return this.known.filter((one) => one.kind === kind).map((one) => one.token);
  }

  /** Return whether the app did not answer the last request. */
  isLost() {
    return this.lost;
  }

  /**
   * Call a function when a job may have changed; return what stops that.
   * @param {() => void} listener
   */
  subscribe(listener) {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  async poll() {
    clearTimeout(this.timer);
    if (!this.known.length) return;
    const tokens = this.known.map((one) => one.token);
    try {
      const result = await this.app.latest("jobs", () => this.app.ask("jobs", { tokens }, { run: "", view: "" }));
      if (result) this.take(tokens, result.jobs);
      this.lost = false;
    } catch {
      this.lost = true; // the cards show it, and polling continues
    }
    this.notify();
    this.wait();
  }

  /**
   * Add a job that was just started; an eager one is polled more often.
   * @param {string} kind
   * @param {string} token
   */
  add(kind, token, more = {}, eager = false) {
    if (eager) this.eager = token;
    this.store([{ kind, token, ...more }, ...this.known]);
    return this.poll();
  }

  /** @param {string} token */
  forget(token) {
    this.reports.delete(token);
    this.store(this.known.filter((one) => one.token !== token));
    this.notify();
  }

  /** @param {string} token */
  cancel(token) {
    return this.steer("job_cancel", token);
  }

  /** @param {string} token */
  resume(token) {
    return this.steer("job_resume", token);
  }

  /**
   * @param {string} token
   * @param {string} title
   */
  rename(token, title) {
    return this.steer("job_rename", token, { title });
  }

  /**
   * Delete a job with its files.
   * @param {string} token
   */
  async remove(token) {
    this.deleted.add(token);
    const done = await this.app.attempt(() => this.app.ask("job_remove", { token }, { run: "", view: "" }));
    if (done) this.forget(token);
  }

  /**
   * @param {string} method
   * @param {string} token
   */
  async steer(method, token, more = {}) {
    const report = await this.app.attempt(() => this.app.ask(method, { token, ...more }, { run: "", view: "" }));
    if (!report) return;
    this.reports.set(token, report);
    this.notify();
    this.wait();
  }

  wait() {
    clearTimeout(this.timer);
    const active = [...this.reports.values()].filter(isActive);
    if ((!active.length && !this.lost) || document.hidden) return;
    const eager = active.some((one) => one.token === this.eager);
    this.timer = window.setTimeout(() => this.poll(), this.lost ? LOST_MS : eager ? EAGER_MS : POLL_MS);
  }

  /**
   * @param {string[]} tokens
   * @param {Report[]} reports
   */
  take(tokens, reports) {
    const present = new Set(reports.map((one) => one.token));
    const gone = tokens.filter((one) => !present.has(one));
    if (gone.length) this.lose(gone);
    for (const report of reports) {
      const ended = isActive(this.reports.get(report.token)) && !isActive(report);
      this.reports.set(report.token, report);
      if (!ended || this.app.store.state.tab === (TABS[report.kind] ?? report.kind)) continue;
      this.app.toast(endText(report), report.state === "failed" ? "error" : "note");
    }
  }

  /**
   * Drop jobs that the app does not have any more, and say so unless the visitor deleted them.
   * @param {string[]} gone
   */
  lose(gone) {
    const missed = this.known.filter((one) => gone.includes(one.token) && !this.deleted.has(one.token));
    this.store(this.known.filter((one) => !gone.includes(one.token)));
    const titles = missed.map((one) => this.reports.get(one.token)?.title);
    for (const token of gone) this.reports.delete(token);
    if (missed.length) this.app.toast(goneText(missed.length, titles[0]));
  }

  notify() {
    for (const listener of [...this.listeners]) listener();
  }

  /** @param {Known[]} list */
  store(list) {
    const left = { ...LIMITS };
    this.known = list.filter((one) => left[one.kind]-- > 0);
    remember(KEY, JSON.stringify(this.known));
  }
}

/**
 * Describe how a job ended.
 * @param {Report} report
 */
export function endText({ kind, title, state, error, figures }) {
  const name = `${NOUNS[kind] ?? ""}${title}`;
  if (state === "failed") return `${name} failed: ${error}`;
  if (state !== "done") return `${name} was ${state}`;
  if (kind === "score") return `${name} is scored: ${plural(figures.images ?? 0, "image")}`;
  return kind === "push" ? `${title} is on the Hub` : `${name} is ready`;
}

/**
 * Say that jobs are gone.
 * @param {number} count
 * @param {string | undefined} title of the first one, where it is known
 */
function goneText(count, title) {
  const jobs = count === 1 ? `${title ?? "One of your jobs"} is` : `${count} of your jobs are`;
  return `${jobs} no longer here: the app removes jobs some time after their end, and a Space that restarts has none.`;
}

/** @returns {Known[]} */
function stored() {
  try {
    const list = JSON.parse(recall(KEY) ?? "[]");
    return Array.isArray(list) ? list.filter((one) => typeof one?.token === "string" && one.kind in LIMITS) : [];
  } catch {
    return [];
  }
}
