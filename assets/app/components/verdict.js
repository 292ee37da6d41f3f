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
  element.dataset.kind = verdict.kind;
  element.title = conditionsOf(verdict);
  write(element, verdictText(verdict));
}

/** @param {Verdict} verdict */
function conditionsOf({ student, test, validation }) {
  return student && `${student}, tested on ${test}${validation ? ", a validation set" : ""}`;
}

/**
 * Create the line of the distilled set, with a link to the evaluations.
 * @param {App} app
 */
export function createVerdictLine(app) {
  const text = h("span.verdict", { role: "status" });
  const open = h("button.link", { type: "button", onclick: () => app.store.go({ tab: "evaluate" }) }, "Evaluate");
  const conditions = h("span.soft");
  const element = fill(h("p.verdict-line", { hidden: true }), text, conditions, open);
  return {
    element,
    async request() {
      const params = { tokens: app.jobs.tokens("evaluate") };
      /** @type {Verdict | undefined} */
      const found = await app.latest("verdict", () => app.ask("evaluation_verdict", params)).catch(() => undefined);
      if (!found) return;
      showVerdict(text, found);
      write(conditions, conditionsOf(found));
      open.textContent = found.kind === "unknown" ? "Evaluate…" : "See the evaluation";
      element.hidden = false;
    },
  };
}
