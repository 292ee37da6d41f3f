// A job as it goes on: its stage, how far and how fast, what it said, and what can be done with it.

import { fill, h, number, plural } from "../lib/dom.js";
import { isActive } from "../lib/jobs.js";

const STAGES = {
  open: "Opening the source",
  load: "Loading the prior",
  score: "Scoring",
  refine: "Refining the most promising",
  layout: "Laying out the plane",
  select: "Selecting",
  export: "Writing images",
};
const STATES = {
  waiting: "waiting",
  running: "running",
  done: "done",
  failed: "failed",
  cancelled: "cancelled",
  interrupted: "interrupted: the app ended",
};

/** A card that is kept up to date by `show(report)`; `ended(report)` gives what else it can do then. */
export function createCard(app, { ended = () => [], forget = true } = {}) {
  const own = { report: null, key: "" };
  const title = h("h3.job-title");
  const state = h("span.state", { role: "status" });
  const stage = h("span.stage-name");
  const pace = h("span.pace");
  const bar = h("progress", { max: 1 });
  const problem = h("p.notice.bad", { hidden: true, role: "alert" });
  const notices = h("details.job-notices", { hidden: true });
  const skipped = h("button.link", { type: "button", hidden: true, onclick: () => showSkips(app, own.report) });
  const act = (word, does, kind = "button") =>
    h(`button.${kind}`, { type: "button", onclick: () => does(own.report.token) }, word);
  const cancel = act("Cancel", (token) => app.jobs.cancel(token));
  const resume = act("Resume", (token) => app.jobs.resume(token));
  const drop = act("Forget", (token) => app.jobs.forget(token), "quiet");
  const more = h("span.job-more");
  const acts = h("div.job-acts", {}, more, cancel, resume, skipped, h("span.grow"), forget && drop);
  const going = h("div.going", {}, bar, h("p.job-line", {}, stage, pace));
  const element = h("article.job", {}, h("div.job-head", {}, title, state), going, problem, notices, acts);
  return { element, show };

  function show(report) {
    own.report = report;
    element.dataset.state = report.state;
    element.setAttribute("aria-label", report.title);
    set(title, report.title);
    title.title = report.title;
    set(state, stateWords(report));
    showProgress(report);
    problem.hidden = !report.error;
    set(problem, report.error);
    showNotices(report.notices);
    skipped.hidden = !report.skipped;
    set(skipped, `${plural(report.skipped, "image")} skipped`);
    cancel.hidden = !isActive(report) || report.stopping;
    resume.hidden = !report.resumable;
    drop.hidden = isActive(report);
    if (own.key !== (own.key = `${report.state} ${report.finished}`)) fill(more, ended(report));
  }

  function showNotices(texts) {
    if (notices.dataset.count === String(texts.length)) return;
    notices.dataset.count = texts.length;
    notices.hidden = !texts.length;
    fill(
      notices,
      h("summary", {}, plural(texts.length, "notice")),
      h(
        "ul",
        {},
        texts.map((text) => h("li", {}, text)),
      ),
    );
  }

  function showProgress(report) {
    const { done, total, unit } = report;
    going.hidden = report.state === "done" || report.state === "waiting" || (!isActive(report) && !report.stage);
    const counted = total > 1;
    bar.setAttribute("aria-label", `Progress of ${report.title}`);
    if (counted || !isActive(report)) bar.value = total ? done / total : 0;
    else bar.removeAttribute("value");
    const stopped = isActive(report) ? "" : "stopped at: ";
    const count = counted ? ` · ${done.toLocaleString("en")} of ${total.toLocaleString("en")} ${unit}` : "";
    set(
      stage,
      `${stopped}${STAGES[report.stage] ?? report.stage}${report.stage ? "" : "Starting"}${count}${app.jobs.isLost() ? " · the app does not answer" : ""}`,
    );
    set(pace, isActive(report) ? paceWords(report) : "");
  }
}

function set(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function stateWords({ state, stopping, place }) {
  if (stopping) return "stopping after this step";
  return state === "waiting" && place > 1 ? `waiting, ${place - 1} before it` : STATES[state];
}

function paceWords({ per_second: rate, left_s: left, unit }) {
  if (rate == null) return "";
  const pace = rate >= 0.1 ? `${number(rate)} ${unit}/s` : `${number(60 * rate)} ${unit}/min`;
  return left == null ? pace : `${pace} · ${duration(left)} left`;
}

/** Seconds as people say them. */
export function duration(seconds) {
  const whole = Math.max(1, Math.round(seconds));
  if (whole < 90) return `${whole} s`;
  const minutes = Math.round(whole / 60);
  if (minutes < 90) return `${minutes} min`;
  return minutes < 48 * 60
    ? `${Math.floor(minutes / 60)} h ${minutes % 60} min`
    : `${Math.round(minutes / 60 / 24)} days`;
}

/** The images that could not be used, each with its reason. */
export function showSkips(app, { title, skipped, skips }) {
  const rows = skips.map(({ id, reason }) => h("tr", {}, h("th", { scope: "row" }, id), h("td", {}, reason)));
  const left = skipped - skips.length;
  const head = h(
    "thead",
    {},
    h("tr", {}, h("th", { scope: "col" }, "Image"), h("th", { scope: "col" }, "Why it was skipped")),
  );
  app.dialog(
    `Skipped of ${title}`,
    h("table", {}, head, h("tbody", {}, rows)),
    left > 0 && h("p.soft", {}, `and ${plural(left, "image")} more`),
  );
}
