import assert from "node:assert/strict";
import { test } from "node:test";

import { axesFor, bestCell, gridOf, scaleOf, valuesOf } from "../../assets/app/lib/sweeps.js";

const cells = [];
for (const patch_px of [64, 16]) {
  for (const within of ["score", "centroid"]) {
    for (const timesteps of [[], [300, 400]]) {
      const hit_rate = patch_px / 64 - (within === "score" ? 0 : 0.1) - timesteps.length / 100;
      cells.push({ patch_px, within, timesteps, coverage_distance: hit_rate, hit_rate });
    }
  }
}
const SWEEP = {
  name: "a",
  settings: ["patch_px", "within", "timesteps"],
  figures: ["coverage_distance", "hit_rate"],
  cells,
};

test("values: numbers ascend, others keep their order", () => {
  assert.deepEqual(valuesOf(cells, "patch_px"), [16, 64]);
  assert.deepEqual(valuesOf(cells, "within"), ["score", "centroid"]);
  assert.deepEqual(valuesOf(cells, "timesteps"), [[], [300, 400]]);
});

test("best: the highest, or the lowest where less is better; cells without a value do not count", () => {
  assert.equal(bestCell(cells, "hit_rate").patch_px, 64);
  assert.equal(bestCell(cells, "coverage_distance").patch_px, 16);
  assert.equal(bestCell([{ hit_rate: null }, { hit_rate: 0.1 }], "hit_rate").hit_rate, 0.1);
  assert.equal(bestCell([{ hit_rate: null }], "hit_rate"), undefined);
});

test("axes: the first settings, the last figure, and the rest as in the best cell", () => {
  assert.deepEqual(axesFor(SWEEP), { across: "patch_px", down: "within", figure: "hit_rate", held: { timesteps: [] } });
  const wanted = axesFor(SWEEP, { across: "within", down: "within", figure: "coverage_distance" });
  assert.deepEqual([wanted.across, wanted.down, wanted.figure], ["within", "patch_px", "coverage_distance"]);
});

test("grid: one cell for each pair of values, and none where the sweep has none", () => {
  const { columns, rows, grid } = gridOf(SWEEP, axesFor(SWEEP));
  assert.deepEqual(
    [columns, rows],
    [
      [16, 64],
      ["score", "centroid"],
    ],
  );
  assert.deepEqual(
    grid.map((line) => line.map((cell) => [cell.patch_px, cell.within, cell.timesteps.length])),
    [
      [
        [16, "score", 0],
        [64, "score", 0],
      ],
      [
        [16, "centroid", 0],
        [64, "centroid", 0],
      ],
    ],
  );
  const one = { ...SWEEP, settings: ["patch_px"], cells: [{ patch_px: 16, hit_rate: 1 }] };
  assert.deepEqual(gridOf(one, axesFor(one)).grid, [[one.cells[0]]]);
});

test("scale: from the worst to the best", () => {
  const values = [
    { hit_rate: 0.25, coverage_distance: 0.25 },
    { hit_rate: 0.75, coverage_distance: 0.75 },
  ];
  assert.deepEqual([0.25, 0.5, 0.75].map(scaleOf(values, "hit_rate")), [0, 0.5, 1]);
  assert.deepEqual([0.25, 0.5, 0.75].map(scaleOf(values, "coverage_distance")), [1, 0.5, 0]);
  assert.equal(scaleOf(values.slice(1), "hit_rate")(0.75), 1);
});
