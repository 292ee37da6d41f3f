// Which of several names of one picture is the best, in words.

import { percent, withError } from "./format.js";

/** @typedef {{ name: string, score: number, behind: number, behind_error: number | null }} Named */

/** Standard errors by which a difference must exceed 0. */
const CLEAR = 2;

/**
 * Say which name is the best, and whether that is sure.
 * @param {Named[]} rows the best first
 */
export function verdictText(rows) {
  const [best, second] = rows;
  if (!best) return "The picture could not be scored.";
  if (!second) return `“${best.name}” is the only name.`;
  const lead = percentWithError(second.behind, second.behind_error);
  const isClear = second.behind_error !== null && second.behind > CLEAR * second.behind_error;
  const start = best.score > 0 ? "" : "No name lowers the loss; ";
  if (isClear) return `${start}“${best.name}” fits best: it leads “${second.name}” by ${lead}.`;
  const reason = second.behind_error === null ? "whose error is unknown" : "which the noise could explain";
  return `${start}“${best.name}” leads “${second.name}” by ${lead}, ${reason}: take more draws to tell them apart.`;
}

/**
 * Write a share of 1 in per cent with its standard error, if that is known.
 * @param {number} share
 * @param {number | null} error
 */
export function percentWithError(share, error) {
  return error ? `${withError(100 * share, 100 * error)} %` : percent(share);
}
