// The report of the current selection: one HTML file that needs neither the app nor the network.

import { h, icon } from "../lib/dom.js";
import { bytes } from "../lib/format.js";
import { ICONS } from "../lib/icons.js";
import { saveFile } from "../lib/saving.js";

const HINT =
  "Settings, counts, classes, chosen patches with their heat maps, and evaluations, as one file that opens in any " +
  "browser. On the command line: dsel report RUN --out report.html.";

/**
 * Create the button that saves the report, and what it contains.
 * @param {App} app
 */
export function createReport(app) {
  const label = h("span", {}, "Save the report");
  const button = h("button.button", { type: "button" }, icon(ICONS.download), label);
  const state = h("p.hint", { role: "status" }, HINT);
  button.addEventListener("click", () => app.attempt(save));
  return h("div.report", {}, button, state);

  async function save() {
    button.disabled = true;
    label.textContent = "Writing the report …";
    try {
      const tokens = app.jobs.tokens("evaluate");
      const { name, html } = await app.ask("report", { tokens });
      const file = new Blob([html], { type: "text/html" });
      saveFile(file, name);
      state.textContent = `Saved ${name} (${bytes(file.size)}). ${HINT}`;
    } finally {
      button.disabled = false;
      label.textContent = "Save the report";
    }
  }
}
