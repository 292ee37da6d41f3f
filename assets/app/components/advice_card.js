// The last advice of the run: the recommended settings, and their figures against random whole images.

import { fill, h } from "../lib/dom.js";
import { accuracyText, pText } from "../lib/evaluations.js";
import { plural } from "../lib/format.js";
import { ADVICE_HELP } from "../lib/quantities.js";
import { titleCells } from "../lib/tooltips.js";
import { createTable } from "./dialog.js";

/**
 * @typedef {object} Advice
 * @property {string} fingerprint
 * @property {SelectSettings} select
 * @property {Record<string, any>} changes
 * @property {number} students
 * @property {number} mean
 * @property {number | null} sd
 * @property {number} random_mean
 * @property {number | null} random_sd
 * @property {number} difference
 * @property {number | null} p_value
 * @property {boolean} better
 * @property {string} text
 * @property {string} validation
 * @property {number} validation_images
 */

/**
 * Create the card.
 * @param {(advice: Advice) => void} load loads the recommended settings
 * @param {(select: SelectSettings) => string} selectText where settings differ from the current ones
 */
export function createAdviceCard(load, selectText) {
  const element = h("section.advice.card", { "aria-label": "Advice", hidden: true });
  return {
    element,
    /** @param {Advice | undefined} advice */
    show(advice) {
      element.hidden = !advice;
      if (!advice) return;
      const differing = selectText(advice.select);
      const open = h("button.button", { type: "button", onclick: () => load(advice) }, "Load these settings");
      const head = h("div.bar-line", {}, h("h2", {}, "Advice"), h("span.grow"), differing && open);
      const sentence = `${advice.text.charAt(0).toUpperCase()}${advice.text.slice(1)}.`;
      const settings = differing ? `The recommended settings: ${differing}.` : "The current settings are those.";
      const { validation, validation_images: images, students } = advice;
      const conditions =
        `Accuracies in per cent of ${plural(students, "student")} per set that took no part in the search, on ` +
        `${validation} (${plural(images, "image")}). These images cannot be a test any more.`;
      const verdict = h("p.verdict", { data: { kind: advice.better ? "better" : "similar" } }, sentence);
      fill(element, head, verdict, h("p", {}, settings), createFigures(advice), h("p.soft", {}, conditions));
    },
  };
}

/** @param {Advice} advice */
function createFigures({ mean, sd, random_mean: randomMean, random_sd: randomSd, p_value: p }) {
  /** @type {[string, string, string][]} */
  const rows = [
    ["recommended settings", accuracyText(mean, sd), pText(p)],
    ["random whole", accuracyText(randomMean, randomSd), ""],
  ];
  const lines = rows.map(([name, ...cells]) => {
    return h(
      "tr",
      {},
      h("th", { scope: "row" }, name),
      cells.map((cell) => h("td.figure", {}, cell)),
    );
  });
  const table = createTable(["Set", "Last epoch, %", "p"], lines);
  const [, accuracy, chance] = /** @type {HTMLElement[]} */ ([...table.querySelectorAll("thead th")]);
  for (const head of [accuracy, chance]) head.classList.add("figure");
  [accuracy.title, chance.title] = [ADVICE_HELP.accuracy, ADVICE_HELP.p];
  return titleCells(table);
}
