// The runs that can be opened: the one that the app was opened on, and those of this visitor's jobs.

import { fill, h } from "../lib/dom.js";
import { plural } from "../lib/format.js";
import { showSkips } from "./job_card.js";
import { deleteButton, hideButton, renameJob } from "./job_changes.js";

/**
 * @typedef {object} Row
 * @property {string} name
 * @property {string} facts
 * @property {string} token
 * @property {(HTMLElement | false)[]} [links]
 * @property {HTMLElement | false} [acts]
 */

export class RunList {
  /**
   * @param {App} app
   * @param {(token: string, title: string) => void} compare shows the names of one picture
   */
  constructor(app, compare) {
    this.app = app;
    this.compare = compare;
    /** @type {Start | null} */
    this.first = null;
    this.key = "";
    this.list = h("ul.runs");
    this.element = h("section.runs-part", { "aria-label": "Runs" }, h("h2", {}, "Runs"), this.list);
  }

  get current() {
    return this.app.store.state.run;
  }

  /** Request the facts of the first run, which are unknown where a link opened another one. */
  async update() {
    const { app } = this;
    if (!this.current) this.first = app.start;
    this.first ??= await app.ask("start", {}, { run: "", view: "" }).catch(() => null);
    this.show();
  }

  show() {
    const { app, first, current } = this;
    const done = app.jobs.of("score").filter((one) => one.report.state === "done");
    const key = JSON.stringify([current, Boolean(first), done.map((one) => [one.token, one.report.title])]);
    if (key === this.key) return;
    this.key = key;
    const isLinked = current && !done.some((one) => one.token === current);
    const jobs = done.map((job) => this.jobRow(job));
    fill(this.list, first && this.firstRow(first), jobs, isLinked && this.linkedRow());
  }

  /** @param {Start} start */
  firstRow({ run, classes }) {
    const count = `${plural(run.scored, "image")} · ${plural(classes.length, "class", "classes")}`;
    return this.row({ name: run.dataset, facts: `${count} · ${run.prior} · the app's first run`, token: "" });
  }

  linkedRow() {
    const { dataset, scored } = this.app.start.run;
    return this.row({ name: dataset, facts: `${plural(scored, "image")} · opened by a link`, token: this.current });
  }

  /** @param {Job} job */
  jobRow({ token, report }) {
    const { app } = this;
    const { title, figures, notices, skipped, finished, mine } = report;
    const isOpen = token === this.current;
    const showNotices = () => {
      const items = notices.map((text) => h("li", {}, text));
      app.dialog(`Notices of ${title}`, h("ul.help-list", {}, items));
    };
    const links = [
      figures.names > 0 && link(`compare ${figures.names} names`, () => this.compare(token, title)),
      skipped > 0 && link(`${figures.skipped ?? skipped} skipped`, () => showSkips(app, report)),
      notices.length > 0 && link(plural(notices.length, "notice"), showNotices),
      mine && link("Rename", () => renameJob(app, report), `Rename ${title}`),
    ];
    const acts = !isOpen && h("span.run-acts", {}, hideButton(app, report), mine && deleteButton(app, report));
    const facts = `${plural(figures.images ?? 0, "image")} · ${finishedText(finished)}`;
    return this.row({ name: title, facts, token, links, acts });
  }

  /** @param {Row} row */
  row({ name, facts, token, links = [], acts = false }) {
    const { app } = this;
    const isOpen = token === this.current;
    const onclick = () => app.attempt(() => app.openRun(token));
    const props = { type: "button", disabled: isOpen, "aria-label": `Open ${name}`, onclick };
    const open = h("button.button", props, isOpen ? "Shown now" : "Open this run");
    const present = links.filter(Boolean).map((one) => [" · ", one]);
    const text = h("div.run-facts", {}, h("h3", { title: name }, name), h("p.soft", {}, facts, present));
    return h("li.run-row", { "aria-current": isOpen ? "true" : null, data: { token } }, text, acts, open);
  }
}

/**
 * @param {string} text
 * @param {() => void} onclick
 */
function link(text, onclick, label = text) {
  return h("button.link", { type: "button", onclick, "aria-label": label }, text);
}

/** @param {number} seconds since 1970 */
function finishedText(seconds) {
  if (!seconds) return "";
  const date = new Date(seconds * 1000);
  /** @type {Intl.DateTimeFormatOptions} */
  const time = { hour: "2-digit", minute: "2-digit" };
  if (date.toDateString() === new Date().toDateString()) return `scored at ${date.toLocaleString("en-GB", time)}`;
  return `scored on ${date.toLocaleString("en-GB", { day: "numeric", month: "short", ...time })}`;
}
