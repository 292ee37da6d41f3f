// The stored evaluations as tables: what each set scored, and how it compares with random whole images.

import { fill, h } from "../lib/dom.js";
import {
  accuracyText,
  conditionsText,
  imagesText,
  nameText,
  pointsText,
  progressText,
  pText,
  RANDOM,
  SET,
} from "../lib/evaluations.js";
import { titleCells } from "../lib/tooltips.js";

const SIGNIFICANT = 0.05;
/** @type {[string, string][]} */
const COLUMNS = [
  ["Set", ""],
  ["IPC", "Images per class."],
  ["Images", "Images of the set; of unpacked mosaics also the tiles, on which students are trained."],
  ["Last epoch, %", "Mean test accuracy of the students after the last step, ± standard deviation."],
  ["Best epoch, %", "Mean of each student's best accuracy at any epoch: it is chosen by the test, so it is too high."],
  ["To random", "Difference to random whole images at the same IPC, in percentage points."],
  ["p", "Welch's t test of that difference."],
];

/** @typedef {import("../lib/evaluations.js").Evaluation} Evaluation */
/** @typedef {import("../lib/evaluations.js").EvaluationRow} EvaluationRow */

/**
 * Create the list.
 * @param {(evaluation: Evaluation) => void} load loads the settings of an evaluation
 * @param {(evaluation: Evaluation) => string} selectText where its settings differ from the current ones
 */
export function createEvaluationList(load, selectText) {
  const element = h("section.evaluations", { "aria-label": "Evaluations" });
  return {
    element,
    /** @param {Evaluation[]} evaluations */
    show(evaluations) {
      const ordered = [...evaluations].reverse().sort((a, b) => Number(b.current) - Number(a.current));
      fill(
        element,
        ordered.map((one) => createEvaluation(one, selectText(one), () => load(one))),
      );
    },
  };
}

/**
 * @param {Evaluation} evaluation
 * @param {string} differing
 * @param {() => void} load
 */
function createEvaluation(evaluation, differing, load) {
  const { current, validation, complete, select, notices } = evaluation;
  const badges = [
    validation && h("span.mark-badge", {}, "validation"),
    !complete && h("span.mark-badge", {}, progressText(evaluation)),
  ];
  const open = h("button.button", { type: "button", onclick: load }, "Load these settings");
  const title = current ? h("h3.mark-badge.own", {}, "These settings") : h("h3", {}, differing || "Other settings");
  const head = h("div.bar-line", {}, title, badges, h("span.grow"), !current && select && open);
  const texts = notices.map((text) => h("p.notice", {}, text));
  const data = { current: String(current) };
  const conditions = h("p.soft", {}, `${conditionsText(evaluation)}.`);
  return h("article.evaluation.card", { data }, head, conditions, texts, createTable(evaluation));
}

/** @param {Evaluation} evaluation */
function createTable({ rows, settings }) {
  const heads = COLUMNS.map(([label, help], n) => {
    return h("th", { scope: "col", title: help, className: n ? "figure" : "" }, label);
  });
  const several = new Set(rows.map((row) => row.ipc)).size > 1;
  const body = ordered(rows).map((row, n, all) => {
    const isFirst = several && n > 0 && all[n - 1].ipc !== row.ipc;
    return createRow(row, settings.seeds, isFirst);
  });
  const table = h("table", {}, h("thead", {}, h("tr", {}, heads)), h("tbody", {}, body));
  return h("div.wide", { tabIndex: 0, role: "region", "aria-label": "Accuracies" }, titleCells(table));
}

/**
 * By IPC: the set itself, then the baselines from the best to the worst.
 * @param {EvaluationRow[]} rows
 */
function ordered(rows) {
  /** @param {EvaluationRow} row */
  const weight = (row) => (row.name === SET ? 2 : (row.mean ?? -1));
  return [...rows].sort((a, b) => a.ipc - b.ipc || weight(b) - weight(a));
}

/**
 * @param {EvaluationRow} row
 * @param {number} wanted students
 * @param {boolean} isFirst whether the row is the first of a further IPC
 */
function createRow(row, wanted, isFirst) {
  const isUnfinished = row.students < wanted;
  const students = isUnfinished && h("span.soft", {}, ` ${row.students} of ${wanted} students`);
  const isClear = row.p_value != null && row.p_value < SIGNIFICANT;
  const sign = !isClear ? "" : Number(row.difference) > 0 ? "better" : "worse";
  const isYardstick = row.name === RANDOM;
  const cells = [
    row.ipc,
    imagesText(row),
    accuracyText(row.mean, row.sd),
    accuracyText(row.best_mean),
    h("span", { className: sign }, isYardstick ? "" : pointsText(row.difference)),
    isYardstick ? "" : pText(row.p_value),
  ];
  return h(
    "tr",
    { className: [row.name === SET ? "own" : "", isFirst ? "further" : ""].join(" ").trim() },
    h("th", { scope: "row" }, row.name === SET ? "dsel's set" : nameText(row.name), students),
    cells.map((cell) => h("td.figure", {}, cell)),
  );
}
