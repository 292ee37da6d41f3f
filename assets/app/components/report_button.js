// The report of the current selection: one HTML file that needs neither the app nor the network, which a job writes.

import { fill, h, icon } from "../lib/dom.js";
import { ICONS } from "../lib/icons.js";
import { isActive } from "../lib/jobs.js";
import { JobCard } from "./job_card.js";
import { downloadLink, saveWhenDone } from "./job_download.js";

const HINT =
  "Settings, counts, classes, chosen patches with their heat maps, and evaluations, as one file that opens in any " +
  "browser. On the command line: dsel report RUN --out report.html.";

/**
 * Create the button that saves the report, what it contains, and the job that writes it.
 * @param {App} app
 */
export function createReport(app) {
  const button = h("button.button", { type: "button" }, icon(ICONS.download), "Save the report");
  const place = h("div.report-job");
  /** @type {Map<string, JobCard>} */
  const cards = new Map();
  button.addEventListener("click", () => app.attempt(save));
  app.jobs.subscribe(show);
  show();
  return h("div.report", {}, button, h("p.hint", {}, HINT), place);

  async function save() {
    button.disabled = true;
    try {
      const tokens = app.jobs.tokens("evaluate");
      const { token } = await app.ask("report_start", { tokens });
      await saveWhenDone(app, "report", token);
    } finally {
      show();
    }
  }

  function show() {
    const newest = app.jobs.of("report").at(0);
    button.disabled = isActive(newest?.report);
    if (!newest) return fill(place);
    const card = cards.get(newest.token) ?? new JobCard(app, (ended) => downloadLink(app, ended));
    cards.set(newest.token, card);
    card.show(newest.report);
    if (place.firstChild !== card.element) fill(place, card.element);
  }
}
