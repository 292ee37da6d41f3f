// One picture under several names: the gap of each as a number, a bar and a map, and which name is the best.

import { unpack } from "../lib/arrays.js";
import { fill, h, stylesheet } from "../lib/dom.js";
import { percent } from "../lib/format.js";
import { fitSquare } from "../lib/geometry.js";
import { percentWithError, verdictText } from "../lib/names.js";
import { LAG_HELP, SCORE_HELP, UNIT } from "../lib/quantities.js";

stylesheet(new URL("./names_card.css", import.meta.url));

/**
 * A name as "names" lists it, the best first; `behind`: how far its score is behind that of the best.
 * @typedef {object} NameScore
 * @property {string} name
 * @property {number} score
 * @property {number | null} error
 * @property {number} behind
 * @property {number | null} behind_error
 * @property {Packed} map
 */
/** @typedef {{ rows: NameScore[], range: ScaleRange, image_id: string, size: Size }} NamesResult */

/**
 * Create the card of a run of one picture under several names.
 * @param {App} app
 * @param {string} token
 * @param {string} title
 * @param {() => void} close
 */
export async function createNamesCard(app, token, title, close) {
  /** @type {NamesResult} */
  const result = await app.ask("names", {}, { run: token, view: "" });
  const { rows, size, image_id: id } = result;
  const best = rows[0]?.name ?? "";
  const src = id && (await app.images.url("proxy", token, best, id));
  const { range } = result;
  const widest = Math.max(...rows.map((one) => Math.abs(one.score)), 1e-12);
  const lines = rows.map((one) => createRow(app, one, { src, size, range, widest }));
  const open = h("button.button", { type: "button" }, "Open in Inspect");
  open.addEventListener("click", () => app.attempt(() => app.openRun(token)));
  const shut = h("button.quiet", { type: "button", onclick: close }, "Close");
  const legend = app.colors.legend(range, `signed gap in ${UNIT}, the same scale for all names`, percent, "signed");
  return h(
    "section.names-card.card",
    { "aria-label": `Names of ${title}` },
    h("h2", {}, title),
    h("p.names-verdict", { role: "status" }, verdictText(rows)),
    h("ol.names-list", {}, lines),
    legend,
    h("p.hint", {}, "Gaps are means over the picture. All names saw the same noise, and shared the null prompt."),
    h("div.start-line", {}, open, shut),
  );
}

/**
 * @param {App} app
 * @param {NameScore} one
 * @param {{ src: string, size: Size, range: ScaleRange, widest: number }} shared
 */
function createRow(app, { name, score, error, behind, behind_error: behindError, map }, { src, size, range, widest }) {
  const canvas = h("canvas", { "aria-hidden": "true" });
  app.colors.draw(canvas, unpack(map), range, (distance) => Math.min(0.85, 2.5 * distance), "signed");
  const shot = h("span.shot", {}, src && h("img", { alt: "", src }), canvas);
  fitSquare(shot, size);
  const share = (50 * Math.abs(score)) / widest;
  const bar = h("span.name-bar", { "aria-hidden": "true", className: score < 0 ? "name-bar negative" : "name-bar" });
  fill(bar, h("span", { style: { width: `${share}%` } }));
  const figure = h("span.figure", { title: SCORE_HELP }, percentWithError(score, error));
  const lag = behind > 0 ? `${percentWithError(behind, behindError)} behind` : "the best";
  return h(
    "li.name-line",
    { data: { name } },
    h("span.frame", {}, shot),
    h("span.name-text", {}, h("strong", {}, name), figure, bar, h("span.soft.name-lag", { title: LAG_HELP }, lag)),
  );
}
