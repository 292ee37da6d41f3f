import assert from "node:assert/strict";
import { test } from "node:test";

import { placeContent } from "../../assets/app/lib/native_tile.js";
import {
  errorHelp,
  idleSettings,
  rankingScore,
  scoreHelp,
  tileShare,
  valueText,
} from "../../assets/app/lib/settings_text.js";

const SELECT = { cut: "whole", context: 1.5, patch_px: 0, factor: 1, tile_scale: "native", ipc: 10 };

test("idle: context without a context cut, and the tile scale where nothing is enlarged", () => {
  const idle = (change) => Object.keys(idleSettings({ ...SELECT, ...change }, 128)).sort();
  assert.deepEqual(idle({}), ["context", "tile_scale"]);
  assert.deepEqual(idle({ cut: "patch" }), ["context"]);
  assert.deepEqual(idle({ cut: "patch", factor: 2 }), ["context", "tile_scale"]);
  assert.deepEqual(idle({ cut: "patch", factor: 2, patch_px: 32 }), ["context"]);
  assert.deepEqual(idle({ cut: "context" }), []);
  assert.deepEqual(idle({ cut: "context", context: 2 }), ["tile_scale"]);
});

test("tile share: of the picture's scale, but never beyond the tile", () => {
  assert.equal(tileShare(SELECT, 0.5), 0.5);
  assert.equal(tileShare({ ...SELECT, factor: 3 }, 0.25), 0.75);
  assert.equal(tileShare({ ...SELECT, factor: 3 }, 0.5), 1);
  assert.equal(tileShare({ ...SELECT, tile_scale: "fit" }, 0.25), 1);
});

test("content: centred, of whole pixels, as the export places it", () => {
  assert.deepEqual(placeContent(64, 0.5), { content: 32, start: 16 });
  assert.deepEqual(placeContent(43, 0.5), { content: 22, start: 10 });
  assert.deepEqual(placeContent(64, 0.001), { content: 1, start: 31 });
  assert.deepEqual(placeContent(64, 1), { content: 64, start: 0 });
});

test("scores: the one that ranks, and how it is computed", () => {
  const patch = { score: 0.2, picture_score: 0.1 };
  assert.equal(rankingScore(patch, { rank_by: "patch" }), 0.2);
  assert.equal(rankingScore(patch, { rank_by: "picture" }), 0.1);
  const help = scoreHelp({ score: "positive", rank_by: "picture" }, "picture");
  assert.match(help, /all cells of the picture.*positive gap.*% of the mean loss.*ranked by it/);
  assert.doesNotMatch(scoreHelp({ score: "signed", rank_by: "picture" }, "patch"), /positive part|ranked by/);
});

test("errors: what they are, where they are unknown, and where noise alone may explain the score", () => {
  assert.match(errorHelp(0.2, 0.05), /^± is the standard error over the noise that was drawn\.$/);
  assert.match(errorHelp(-0.09, 0.05), /Noise alone may explain a score this small\.$/);
  assert.match(errorHelp(0.2, null), /unknown/);
});

test("values: shares of different meanings", () => {
  const widget = { choices: [], unit: "", shown: null };
  assert.equal(valueText({ ...widget, name: "discriminative_share" }, 0.5, SELECT), "top 50 %");
  assert.equal(valueText({ ...widget, name: "discriminative_share" }, 1, SELECT), "all");
  assert.equal(valueText({ ...widget, name: "drop_lowest" }, 0.25, SELECT), "25 %");
  assert.equal(valueText({ ...widget, name: "drop_lowest" }, 0, SELECT), "none");
  assert.equal(valueText({ ...widget, name: "context", unit: "× patch" }, 1.5, SELECT), "1.5");
});
