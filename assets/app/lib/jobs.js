// Jobs of this visitor: the browser keeps their tokens, so that a page that is loaded again finds them.

import { h, plural } from "./dom.js";

const KEY = "dsel-jobs";
const KEPT = { score: 10, export: 4 };
const TABS = { score: "score", export: "export" };
const POLL_MS = 1000;
const EAGER_MS = 350;
const LOST_MS = 4000;

/** Whether a job still has something before it. */
export function isActive(report) {
  return report?.state === "waiting" || report?.state === "running";
}

/** Watches jobs: asks about them once a second while one is at work and the page is seen. */
export function createJobs(app) {
  const reports = new Map();
  const listeners = new Set();
  const own = { kept: recall(), timer: 0, lost: false, eager: "" };
  document.addEventListener("visibilitychange", () => document.hidden || poll());
  addEventListener("storage", (event) => event.key === KEY && reread());

  const jobs = {
    /** What is known of a kind's jobs, the newest first: what was kept at their start, and their reports. */
    of: (kind) =>
      own.kept
        .filter((one) => one.kind === kind && reports.has(one.token))
        .map((one) => ({ ...one, report: reports.get(one.token) })),
    /** Whether the app did not answer the last question. */
    isLost: () => own.lost,
    subscribe: (listener) => listeners.add(listener),
    poll,
    /** Keep a job that was just started, and `more` about it; `eager` ones are asked about more often. */
    add(kind, token, more = {}, eager = false) {
      own.eager = eager ? token : own.eager;
      keep([{ kind, token, ...more }, ...own.kept]);
      return poll();
    },
    forget(token) {
      reports.delete(token);
      keep(own.kept.filter((one) => one.token !== token));
      tell();
    },
    cancel: (token) => steer("job_cancel", token),
    resume: (token) => steer("job_resume", token),
  };
  return jobs;

  async function poll() {
    clearTimeout(own.timer);
    if (!own.kept.length) return;
    const tokens = own.kept.map((one) => one.token);
    try {
      const answer = await app.latest("jobs", () => app.ask("jobs", { tokens, run: "", view: "" }));
      if (answer) take(tokens, answer.jobs);
      own.lost = false;
    } catch {
      own.lost = true; // the list says so, and asks again
    }
    tell();
    wait();
  }

  function wait() {
    clearTimeout(own.timer);
    const busy = [...reports.values()].filter(isActive);
    if ((!busy.length && !own.lost) || document.hidden) return;
    const eager = busy.some((one) => one.token === own.eager);
    own.timer = setTimeout(poll, own.lost ? LOST_MS : eager ? EAGER_MS : POLL_MS);
  }

  function take(tokens, found) {
    const there = new Set(found.map((one) => one.token));
    const gone = tokens.filter((one) => !there.has(one));
    if (gone.length) keep(own.kept.filter((one) => !gone.includes(one.token)));
    for (const report of found) {
      const ended = isActive(reports.get(report.token)) && !isActive(report);
      reports.set(report.token, report);
      if (ended && app.store.state.tab !== TABS[report.kind])
        app.toast(endWords(report), report.state === "failed" ? "error" : "note");
    }
  }

  async function steer(question, token) {
    const report = await app.attempt(() => app.ask(question, { token, run: "", view: "" }));
    if (!report) return;
    reports.set(token, report);
    tell();
    wait();
  }

  function tell() {
    for (const [kind, tab] of Object.entries(TABS))
      badge(
        app.root.querySelector(`#dsel-tab-${tab}`),
        jobs.of(kind).map((one) => one.report),
      );
    for (const listener of [...listeners]) listener();
  }

  function keep(list) {
    const left = { ...KEPT };
    own.kept = list.filter((one) => left[one.kind]-- > 0);
    store(own.kept);
  }

  function reread() {
    own.kept = recall();
    poll();
  }
}

/** How a job ended, in a line. */
export function endWords(report) {
  const { title, state, error } = report;
  const name = report.kind === "export" ? `The export of ${title}` : title;
  if (state === "done")
    return report.kind === "export"
      ? `${name} is ready`
      : `${name} is scored: ${plural(report.figures.images ?? 0, "image")}`;
  return state === "failed" ? `${name} failed: ${error}` : `${name} was ${state}`;
}

/** A tab tells of the job that runs: how far it is. */
function badge(tab, reports) {
  const running = reports.find((one) => one.state === "running") ?? reports.find(isActive);
  const old = tab?.querySelector(".live");
  if (!running || !tab) return void old?.remove();
  const counts = ["score", "refine", "export"].includes(running.stage) && running.total > 0;
  const live = old ?? tab.appendChild(h("span.live"));
  live.textContent = ` · ${counts ? `${Math.floor((100 * running.done) / running.total)} %` : "…"}`;
}

let remembered = [];

function recall() {
  try {
    const list = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return Array.isArray(list) ? list.filter((one) => typeof one?.token === "string" && one.kind in KEPT) : [];
  } catch {
    return remembered;
  }
}

function store(list) {
  remembered = list;
  try {
    localStorage.setItem(KEY, JSON.stringify(list));
  } catch {
    // Without storage jobs are known as long as the page is open.
  }
}
