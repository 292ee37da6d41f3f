// Export: what the set contains, the job that writes it, its download; and the command and link that give the same.

import { createExportForm } from "../components/export_form.js";
import { createSharing } from "../components/export_sharing.js";
import { createExportSummary } from "../components/export_summary.js";
import { JobCard } from "../components/job_card.js";
import { downloadLink } from "../components/job_download.js";
import { fill, h, icon, stylesheet } from "../lib/dom.js";
import { plural } from "../lib/format.js";
import { ICONS } from "../lib/icons.js";
import { isActive } from "../lib/jobs.js";
import { queryOf } from "../lib/links.js";

stylesheet(new URL("../components/job_card.css", import.meta.url));
stylesheet(new URL("./export.css", import.meta.url));

const RELEVANT = ["run", "select", "export"];

/** @type {Tab} */
export const tab = { mount: (root, app) => new ExportTab(root, app) };

class ExportTab {
  /**
   * @param {HTMLElement} root
   * @param {App} app
   */
  constructor(root, app) {
    this.app = app;
    this.form = createExportForm(app);
    this.summary = createExportSummary();
    this.exports = new Exports(app);
    this.sharing = createSharing(app);
    const title = h("h2", {}, "Export the distilled set");
    const parts = [title, this.form.element, this.summary.element, this.exports.element];
    fill(root, h("div.export", {}, h("section.card.make", { "aria-label": "Export" }, parts), this.sharing.element));
    app.jobs.subscribe(() => this.exports.update());
  }

  /** @param {Change} change */
  async show(change) {
    this.form.show();
    this.sharing.showLink();
    if (change.has("tab")) this.sharing.showLogin();
    this.exports.update();
    if (!RELEVANT.some((key) => change.has(key))) return;
    this.summary.wait();
    await Promise.all([this.requestSummary(), this.sharing.updateCommand()]);
    this.app.attempt(() => this.requestDuplicates());
  }

  /** Request the near-duplicates and the repeated tiles, which take longer than the rest. */
  async requestDuplicates() {
    const { app, summary } = this;
    /** @type {Figures | undefined} */
    const found = await app.latest("export duplicates", () => app.ask("quality_overall").catch(() => undefined));
    if (found) summary.showDuplicates(found, () => app.store.go({ tab: "distilled" }));
  }

  /** Request what the current settings give; what cannot be exported is shown in its place. */
  async requestSummary() {
    const { app, summary } = this;
    try {
      /** @type {ExportSummary | undefined} */
      const found = await app.latest("export summary", () => app.ask("export_summary"));
      if (!found) return;
      summary.show(found, app.store.state.select);
      this.exports.allow(found);
    } catch (error) {
      summary.fail(/** @type {Error} */ (error).message);
      this.exports.allow(null);
    }
  }
}

/** The export button, the jobs that it starts, and their downloads. */
class Exports {
  /** @param {App} app */
  constructor(app) {
    this.app = app;
    /** @type {ExportSummary | null} */
    this.found = null;
    /** @type {Map<string, JobCard>} */
    this.cards = new Map();
    this.label = h("span", {}, "Export");
    this.start = h("button.primary.start", { type: "button", disabled: true }, icon(ICONS.download), this.label);
    this.start.addEventListener("click", () => this.begin());
    this.other = h("p.soft.other", { hidden: true }, "made with settings other than the current ones");
    this.latest = h("div.latest");
    this.earlier = h("div.earlier-list");
    this.more = h("details.earlier", { hidden: true }, h("summary", {}, "Earlier exports"), this.earlier);
    this.element = h("div.maker", {}, h("div.start-line", {}, this.start), this.latest, this.more);
  }

  /** @param {ExportSummary | null} found */
  allow(found) {
    this.found = found;
    this.update();
  }

  async begin() {
    const { app } = this;
    this.start.disabled = true;
    const settings = settingsKey(app);
    const started = await app.attempt(() => app.ask("export_start"));
    if (started) await app.jobs.add("export", started.token, { settings });
    this.update();
  }

  update() {
    const { app, found, cards } = this;
    const jobs = app.jobs.of("export");
    this.start.disabled = !found?.images || jobs.some((one) => isActive(one.report));
    this.label.textContent = found ? `Export ${plural(found.images, "image")}` : "Export";
    for (const token of [...cards.keys()]) if (!jobs.some((one) => one.token === token)) cards.delete(token);
    const elements = jobs.map(({ token, report }) => this.card(token, report).element);
    const [first, ...rest] = elements;
    const newest = jobs.at(0);
    this.other.hidden = newest?.report.state !== "done" || !!newest.chosen || newest.settings === settingsKey(app);
    arrange(this.latest, first ? [first, this.other] : []);
    arrange(this.earlier, rest);
    this.more.hidden = !rest.length;
  }

  /**
   * @param {string} token
   * @param {Report} report
   */
  card(token, report) {
    const card = this.cards.get(token) ?? new JobCard(this.app, (ended) => downloadLink(this.app, ended));
    this.cards.set(token, card);
    card.show(report);
    return card;
  }
}

/**
 * Put elements in a place; if they are there already, leave it alone, so that the focus stays.
 * @param {HTMLElement} place
 * @param {HTMLElement[]} children
 */
function arrange(place, children) {
  const current = [...place.children];
  if (current.length !== children.length || current.some((one, n) => one !== children[n])) fill(place, children);
}

/**
 * Return the run and the settings that decide the content of a zip file.
 * @param {App} app
 */
function settingsKey({ store }) {
  const { run, select, export: written } = store.state;
  return `${run}?${queryOf({ select, export: written }, store.defaults)}`;
}
