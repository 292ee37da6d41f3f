// One line that says whether the distilled set trains better than random whole images do.

import { fill, h, write } from "../lib/dom.js";
import { verdictText } from "../lib/evaluations.js";

/** @typedef {import("../lib/evaluations.js").Verdict} Verdict */

/**
 * Write a verdict into an element.
 * @param {HTMLElement} element
 * @param {Verdict} verdict
 */
export function showVerdict(element, verdict) {
  const { kind, student, test, validation } = verdict;
  element.dataset.kind = kind;
  element.title = student && `${student}, tested on ${test}${validation ? ", a validation set" : ""}`;
  write(element, verdictText(verdict));
}

/**
 * Create the line of the distilled set, with a link to the evaluations.
 * @param {App} app
 */
export function createVerdictLine(app) {
  const text = h("span.verdict", { role: "status" });
  const open = h("button.link", { type: "button", onclick: () => app.store.go({ tab: "evaluate" }) }, "Evaluate");
  const element = fill(h("p.verdict-line", { hidden: true }), text, open);
  return {
    element,
    async request() {
      const params = { tokens: app.jobs.tokens("evaluate") };
      /** @type {Verdict | undefined} */
      const found = await app.latest("verdict", () => app.ask("evaluation_verdict", params)).catch(() => undefined);
      if (!found) return;
      showVerdict(text, found);
      open.textContent = found.kind === "unknown" ? "Evaluate…" : "See the evaluation";
      element.hidden = false;
    },
  };
}
