// What the prior knows of the classes, as sentences.

import { number } from "./format.js";

/** @type {Record<string, string>} */
const UNKNOWN = {
  one_class: "a run of one class has no other names to compare its name with.",
  too_few: "the run has too few images to measure it with 5 % of the evaluations.",
};

/**
 * Return what a reader of scores should know of the prior; nothing where it knows the class.
 * @param {Pick<Start["run"], "knowledge" | "knowledge_reason">} run
 * @param {Pick<ClassSummary, "name" | "knowledge">} one
 */
export function knowledgeText({ knowledge, knowledge_reason: reason }, { name, knowledge: ofClass }) {
  const end = "its scores mean little.";
  if (knowledge?.near_chance) {
    return `This prior does not tell the classes of this run from each other (${aucText(knowledge)}): ${end}`;
  }
  if (ofClass?.near_chance) return `This prior does not tell ${name} from other classes (${aucText(ofClass)}): ${end}`;
  if (!reason) return "";
  return `Whether this prior knows ${name} is unknown: ${UNKNOWN[reason]}`;
}

/** @param {Measured} measured */
function aucText({ auc }) {
  return `AUC ${number(auc, 2)}, chance is 0.5`;
}

/**
 * Say that the prior was not trained on a class; nothing where it was, or where nothing is known.
 * @param {string} name
 * @param {string[]} known
 */
export function unknownClassText(name, known) {
  /** @param {string} text */
  const plain = (text) =>
    text
      .trim()
      .replace(/[_\s]+/g, " ")
      .toLowerCase();
  if (!plain(name) || !known.length || known.some((one) => plain(one) === plain(name))) return "";
  const doubt = `This prior was not trained on “${name.trim()}”, so its scores will mean little.`;
  return `${doubt} It knows ${known.join(", ")}.`;
}
