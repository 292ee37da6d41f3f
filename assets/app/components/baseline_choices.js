// The baselines of an evaluation to tick: random whole images are always among them, as the yardstick.

import { fill, h, uid } from "../lib/dom.js";
import { nameText, RANDOM } from "../lib/evaluations.js";

/** @typedef {{ name: string, text: string, needs: "" | "teacher" | "objects" }} Baseline */

/**
 * Create the list.
 * @param {Baseline[]} baselines
 * @param {() => void} changed
 */
export function createBaselineChoices(baselines, changed) {
  const inputs = baselines.map(({ name }) => {
    const isRequired = name === RANDOM;
    const props = { id: uid(name), value: name, checked: isRequired, disabled: isRequired, onchange: changed };
    return h("input", { type: "checkbox", ...props });
  });
  const rows = baselines.map(({ name, text }, n) => {
    return h("li", {}, inputs[n], h("label", { htmlFor: inputs[n].id, title: text }, nameText(name)));
  });
  return {
    element: fill(h("ul.baseline-choices", {}), rows),
    value: () => inputs.filter((input) => input.checked).map((input) => input.value),
    asksTeacher: () => baselines.some(({ needs }, n) => needs === "teacher" && inputs[n].checked),
  };
}

/**
 * Return the baselines that there is what they need for: true boxes in the run, and a teacher that may be named.
 * @param {Baseline[]} baselines
 * @param {{ objects: boolean, teacher: boolean }} available
 */
export function availableBaselines(baselines, available) {
  return baselines.filter(({ needs }) => !needs || available[needs]);
}
