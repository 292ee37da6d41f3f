// Stored evaluations: which of them are shown, the series of their chart, and what they say as text.

import { percent, plural } from "./format.js";

/**
 * One set at one IPC. Accuracies are shares of 1; `students` counts those that have finished.
 * @typedef {object} EvaluationRow
 * @property {string} name "dsel", or the name of a baseline
 * @property {number} ipc
 * @property {number} images
 * @property {number} training_images
 * @property {number} image_px
 * @property {number} student_px
 * @property {number} students
 * @property {number | null} mean
 * @property {number | null} sd
 * @property {number | null} standard_error
 * @property {number | null} best_mean
 * @property {number | null} difference to random whole images at the same IPC
 * @property {number | null} p_value
 */
/**
 * @typedef {object} Evaluation
 * @property {string} fingerprint
 * @property {boolean} complete
 * @property {boolean} current whether it belongs to the settings of the view
 * @property {boolean} validation
 * @property {string} student
 * @property {string} recipe
 * @property {string} test
 * @property {number} test_images
 * @property {Record<string, any>} settings
 * @property {SelectSettings | null} select null if this version does not know them
 * @property {string[]} notices
 * @property {EvaluationRow[]} rows
 */
/** @typedef {{ ipc: number, mean: number, error: number, sd: number | null, students: number }} Point */
/** @typedef {{ key: string, name: string, label: string, current: boolean, points: Point[] }} Series */
/** @typedef {{ student: string, recipe: string, test: string, scope: string }} Filter */
/**
 * @typedef {object} Verdict
 * @property {"better" | "worse" | "similar" | "untested" | "unknown"} kind
 * @property {number | null} difference
 * @property {number | null} p_value
 * @property {number} ipc
 * @property {string} student
 * @property {string} test
 * @property {boolean} validation
 */

export const SET = "dsel";
export const RANDOM = "random-whole";
export const FILTERS = /** @type {const} */ (["student", "recipe", "test"]);

/**
 * Return the name of a set as text.
 * @param {string} name
 */
export function nameText(name) {
  return name === SET ? SET : name.replaceAll("-", " ");
}

/**
 * Return the distinct values of a filter, in the order of the evaluations.
 * @param {Evaluation[]} evaluations
 * @param {typeof FILTERS[number]} key
 */
export function valuesOf(evaluations, key) {
  return [...new Set(evaluations.map((one) => one[key]))];
}

/**
 * Return the evaluations that pass a filter; "" lets all pass.
 * @param {Evaluation[]} evaluations
 * @param {Filter} filter
 */
export function passing(evaluations, filter) {
  const scoped = filter.scope === "current" ? evaluations.filter((one) => one.current) : evaluations;
  return scoped.filter((one) => FILTERS.every((key) => !filter[key] || one[key] === filter[key]));
}

/**
 * Return one series for each set, and one for each baseline whose points differ between the evaluations.
 * @param {Evaluation[]} evaluations
 * @param {(evaluation: Evaluation) => string} distinction what sets an evaluation apart from the others, or ""
 * @returns {Series[]}
 */
export function seriesOf(evaluations, distinction) {
  /** @type {Map<string, Series>} */
  const found = new Map();
  for (const evaluation of evaluations) {
    for (const name of new Set(evaluation.rows.map((row) => row.name))) {
      const points = pointsOf(evaluation, name);
      const key = `${name} ${JSON.stringify(points.map(({ ipc, mean, sd }) => [ipc, mean, sd]))}`;
      if (!points.length || found.has(key)) continue;
      const apart = distinction(evaluation);
      const label = apart ? `${nameText(name)} (${apart})` : nameText(name);
      found.set(key, { key, name, label, current: evaluation.current, points });
    }
  }
  return withShortLabels(withoutParts([...found.values()]));
}

/**
 * The points of an evaluation at one IPC are not drawn again beside those of the same sets at several.
 * @param {Series[]} series
 */
function withoutParts(series) {
  const isWhole = (/** @type {Series} */ one) => !series.some((other) => other !== one && isPart(one, other));
  const [wholes, parts] = [series.filter(isWhole), series.filter((one) => !isWhole(one))];
  const places = new Map(parts.map((one) => [one, wholes.find((whole) => isPart(one, whole))]));
  return [...new Set(series.map((one) => places.get(one) ?? one))];
}

/**
 * @param {Series} one
 * @param {Series} other a series without the same points: no two of `seriesOf` have them
 */
function isPart(one, other) {
  if (one.name !== other.name || one.current !== other.current) return false;
  return one.points.every(({ ipc, mean, sd }) =>
    other.points.some((point) => point.ipc === ipc && point.mean === mean && point.sd === sd),
  );
}

/**
 * Count the images of a set; of mosaics, also the tiles that students are trained on.
 * @param {{ images: number, training_images: number }} row
 */
export function imagesText({ images, training_images: tiles }) {
  return tiles === images ? `${images}` : `${images} (${tiles} tiles)`;
}

/**
 * A name that only one series has needs no further words.
 * @param {Series[]} series
 */
function withShortLabels(series) {
  return series.map((one) => {
    const isAlone = series.filter((other) => other.name === one.name).length === 1;
    return isAlone ? { ...one, label: nameText(one.name) } : one;
  });
}

/**
 * @param {Evaluation} evaluation
 * @param {string} name
 * @returns {Point[]}
 */
function pointsOf({ rows }, name) {
  const own = rows.filter((row) => row.name === name && row.mean != null).sort((a, b) => a.ipc - b.ipc);
  return own.map(({ ipc, mean, standard_error: error, sd, students }) => {
    return { ipc, mean: Number(mean), error: error ?? 0, sd, students };
  });
}

/**
 * Return the IPCs of some series in ascending order.
 * @param {Series[]} series
 */
export function ipcsOf(series) {
  return [...new Set(series.flatMap((one) => one.points.map((point) => point.ipc)))].sort((a, b) => a - b);
}

/**
 * Format a mean accuracy with its standard deviation, in per cent.
 * @param {number | null} mean
 * @param {number | null} [sd]
 */
export function accuracyText(mean, sd = null) {
  if (mean == null) return "–";
  const text = (100 * mean).toFixed(1);
  return sd == null ? text : `${text} ± ${(100 * sd).toFixed(1)}`;
}

/**
 * Format a difference of accuracies in percentage points with its sign.
 * @param {number | null} difference
 */
export function pointsText(difference) {
  if (difference == null) return "–";
  const points = (100 * difference).toFixed(1);
  return Number(points) > 0 ? `+${points}` : points.replace("-", "−");
}

/**
 * Format a p value; small ones are bounded.
 * @param {number | null} value
 */
export function pText(value) {
  if (value == null) return "–";
  return value < 0.001 ? "< 0.001" : value.toFixed(3);
}

/**
 * Describe in one line whether the set trains better than random whole images do.
 * @param {Verdict} verdict
 */
export function verdictText({ kind, difference, p_value: p, ipc }) {
  if (kind === "unknown") return `Not evaluated at these settings and IPC ${ipc}.`;
  const by = `${pointsText(Math.abs(difference ?? 0)).replace("+", "")} points`;
  const test = p == null ? "" : ` (p ${p < 0.001 ? "" : "= "}${pText(p)})`;
  if (kind === "better") return `Trains better than random whole images, by ${by}${test}.`;
  if (kind === "worse") return `Trains worse than random whole images, by ${by}${test}.`;
  const signed = `${pointsText(difference)} points`;
  if (kind === "untested") return `${signed} to random whole images, from too few students for a test.`;
  return `Trains no better than random whole images: ${signed}${test}.`;
}

/**
 * Describe how the students of an evaluation were trained and tested.
 * @param {Evaluation} evaluation
 */
export function conditionsText({ student, recipe, test, test_images: images, settings }) {
  const labels = recipe === "soft" ? "teacher's labels" : "class labels";
  const trained = `${plural(settings.seeds, "student")} of ${plural(settings.steps, "step")} per set`;
  return `${student}, ${labels}, ${trained}, tested on ${test} (${plural(images, "image")})`;
}

/**
 * Return the share of an evaluation's students that have finished, as text.
 * @param {Evaluation} evaluation
 */
export function progressText({ complete, rows, settings }) {
  if (complete) return "";
  const finished = rows.reduce((sum, row) => sum + row.students, 0);
  const wanted = rows.length * settings.seeds;
  return wanted ? `${percent(finished / wanted, 2)} finished` : "not finished";
}

/**
 * Return what tells each of some evaluations apart from the others: what they evaluate, and how.
 * @param {Evaluation[]} evaluations
 * @param {(evaluation: Evaluation) => string} selectText the select settings of an evaluation as text
 * @returns {(evaluation: Evaluation) => string}
 */
export function distinctions(evaluations, selectText) {
  /** @type {((evaluation: Evaluation) => string)[]} */
  const parts = [
    selectText,
    (one) => one.student,
    (one) => (one.recipe === "soft" ? "teacher's labels" : "class labels"),
    (one) => one.test,
    (one) => plural(one.settings.steps, "step"),
    (one) => plural(one.settings.seeds, "student"),
    (one) => (one.settings.unpack ? "unpacked" : "packed"),
  ];
  const telling = parts.filter((part) => new Set(evaluations.map(part)).size > 1);
  return (evaluation) => telling.map((part) => part(evaluation)).join(", ");
}

/**
 * Return the filter that shows the last evaluation of the current settings, or the last one of all.
 * @param {Evaluation[]} evaluations
 * @returns {Filter}
 */
export function filterFor(evaluations) {
  const chosen = evaluations.filter((one) => one.current).at(-1) ?? evaluations.at(-1);
  const { student = "", recipe = "", test = "" } = chosen ?? {};
  return { student, recipe, test, scope: "all" };
}
