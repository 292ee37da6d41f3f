// Hit rate and coverage as meters, of the class and of all classes.

import { h } from "../lib/dom.js";
import { percent } from "../lib/format.js";
import { percentOf } from "../lib/geometry.js";
import { LOCALIZATION_HELP } from "../lib/quantities.js";

/** @typedef {{ kind: string, images: number, hit_rate: number | null, coverage: number | null }} Localization */

const METERS = /** @type {const} */ ([
  ["hit_rate", "Hit rate"],
  ["coverage", "Coverage"],
]);

/**
 * Create the meters of one column.
 * @param {string} label
 */
export function createLocalizationMeters(label) {
  const meters = METERS.map(([name, text]) => {
    const [bar, value, overall] = [h("span.meter-fill"), h("span.meter-value"), h("span.meter-all")];
    const tick = h("span.meter-tick", { hidden: true });
    const meter = h("div.meter", { "aria-hidden": "true" }, bar, tick);
    const element = h("div.meter-line", {}, h("span.meter-label", {}, text), value, meter, overall);
    element.title = LOCALIZATION_HELP[name];
    return { name, bar, value, overall, tick, element };
  });
  const element = h(
    "div.meters",
    { role: "group", "aria-label": `Localization accuracy of ${label}`, hidden: true },
    meters.map((one) => one.element),
  );
  return {
    element,
    /** @param {Localization | undefined} found */
    show(found) {
      element.hidden = !found;
      if (!found) return;
      for (const { name, bar, value } of meters) {
        value.textContent = percent(found[name]);
        bar.style.width = percentOf(found[name] ?? 0);
      }
    },
    /** @param {Localization | undefined} found */
    showOverall(found) {
      for (const { name, overall, tick } of meters) {
        overall.textContent = found ? `all classes ${percent(found[name])}` : "";
        tick.hidden = !found;
        if (found) tick.style.left = percentOf(found[name] ?? 0);
      }
    },
  };
}
