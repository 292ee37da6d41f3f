// The jobs of some kinds that are not done, each as a card.

import { h } from "../lib/dom.js";
import { JobCard } from "./job_card.js";

export class OpenJobs {
  /**
   * @param {App} app
   * @param {string[]} kinds
   * @param {(report: Report) => void} update gets the reports of all jobs, also of those that are done
   */
  constructor(app, kinds, update) {
    this.app = app;
    this.kinds = kinds;
    this.update = update;
    /** @type {Map<string, JobCard>} */
    this.cards = new Map();
    this.list = h("div.job-list");
    this.element = h("section.jobs-part", { "aria-label": "Jobs" }, h("h2", {}, "Jobs"), this.list);
  }

  show() {
    const jobs = this.kinds.flatMap((kind) => this.app.jobs.of(kind));
    for (const { report } of jobs) this.update(report);
    const open = jobs.filter((one) => one.report.state !== "done");
    for (const [token, card] of [...this.cards]) {
      if (open.some((one) => one.token === token)) continue;
      card.element.remove();
      this.cards.delete(token);
    }
    open.forEach(({ token, report }, n) => {
      const { element } = this.card(token, report);
      if (this.list.children[n] !== element) this.list.insertBefore(element, this.list.children[n] ?? null);
    });
    this.element.hidden = !open.length;
  }

  /**
   * @param {string} token
   * @param {Report} report
   */
  card(token, report) {
    const card = this.cards.get(token) ?? new JobCard(this.app);
    this.cards.set(token, card);
    card.show(report);
    card.element.classList.add("card");
    return card;
  }

  /** @param {string} token */
  reveal(token) {
    this.cards.get(token)?.element.scrollIntoView({ block: "nearest" });
  }
}
