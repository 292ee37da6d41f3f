import assert from "node:assert/strict";
import { test } from "node:test";
import { deflateSync } from "node:zlib";

import { fitted, moved, pixelOf, pointAt, zoomed } from "../../assets/app/lib/camera.js";
import { coloring, labelsOf, rangeWithoutTails } from "../../assets/app/lib/map_colors.js";
import { changedClasses, MapData } from "../../assets/app/lib/map_data.js";
import {
  createStamp,
  drawDensity,
  drawDiscs,
  findSeen,
  mixed,
  packColor,
  parseColor,
  STYLES,
} from "../../assets/app/lib/map_raster.js";
import { PointGrid } from "../../assets/app/lib/point_grid.js";
import { inside, thinned } from "../../assets/app/lib/polygons.js";
import { DEFAULTS } from "./defaults.js";

const RED = packColor(255, 0, 0);
const GREEN = packColor(0, 255, 0);
const GREY = packColor(128, 128, 128);
const LOOK = { table: Uint32Array.of(RED, GREEN), dimmed: GREY, outline: packColor(0, 0, 0), edge: GREY, radius: 1 };

function canvasOf(width, height) {
  return { pixels: new Uint32Array(width * height), width, height };
}

function packed(values, shape = [values.length]) {
  const type = { Uint16Array: "u2", Int16Array: "i2", Int32Array: "i4", Float32Array: "f4", Uint8Array: "u1" };
  return { type: type[values.constructor.name], shape, data: Buffer.from(values.buffer).toString("base64") };
}

/** Three images of two classes, at corners of the plane. */
function dataOf() {
  return new MapData(
    {
      positions: packed(Uint16Array.of(0, 0, 65535, 0, 65535, 65535), [3, 2]),
      counts: packed(Int32Array.of(2, 1)),
      sizes: packed(Int32Array.of(128, 64), [1, 2]),
      fitted: 3,
      problem: "",
    },
    ["cat", "dog"],
  );
}

test("camera: all points are in view, and pixels lead there and back", () => {
  const sides = { width: 200, height: 100 };
  const camera = fitted({ x: [0, 1], y: [0, 1] }, sides);
  assert.deepEqual([camera.x, camera.y, Math.round(camera.scale)], [0.5, 0.5, 88]);
  const pixel = pixelOf(camera, sides, 1, 0);
  assert.deepEqual([Math.round(pixel.x), Math.round(pixel.y)], [144, 94]);
  const back = pointAt(camera, sides, pixel);
  assert.ok(Math.abs(back.x - 1) < 1e-9 && Math.abs(back.y) < 1e-9);
  assert.deepEqual(fitted({ x: [], y: [] }, sides), { x: 0, y: 0, scale: 1 });
});

test("camera: what is under the pointer stays there, within limits", () => {
  const sides = { width: 200, height: 100 };
  const whole = fitted({ x: [0, 1], y: [0, 1] }, sides);
  const at = { x: 30, y: 70 };
  const near = zoomed(whole, sides, 3, at, whole);
  const [before, after] = [pointAt(whole, sides, at), pointAt(near, sides, at)];
  assert.ok(Math.hypot(before.x - after.x, before.y - after.y) < 1e-9);
  assert.equal(zoomed(whole, sides, 1e9, at, whole).scale, 400 * whole.scale);
  assert.equal(zoomed(whole, sides, 1e-9, at, whole).scale, 0.5 * whole.scale);
  const hand = moved(whole, 88, 0);
  assert.ok(Math.abs(hand.x - (whole.x - 1)) < 1e-9);
});

test("polygons: by the even-odd rule", () => {
  const square = [0, 0, 2, 0, 2, 2, 0, 2];
  assert.deepEqual([...inside([1, 3, -1, 1], [1, 1, 1, 5], square)], [1, 0, 0, 0]);
  const crossing = [0, 0, 4, 0, 4, 4, 1, 4, 1, 1, 3, 1, 3, 3, 0, 3]; // winds twice around 2, 2
  assert.deepEqual([...inside([2, 0.5], [2, 0.5], crossing)], [0, 1]);
  assert.deepEqual([...inside([0], [0], [0, 0, 1, 1])], [0]);
  assert.deepEqual(thinned([0, 0, 1, 1, 2, 2, 3, 3], 2), [0, 0, 2, 2]);
});

test("grid: the nearest point, as a search through all of them finds it", () => {
  let seed = 7;
  const random = () => {
    seed = (seed * 16807) % 2147483647;
    return seed / 2147483647;
  };
  const x = Float32Array.from({ length: 500 }, random);
  const y = Float32Array.from({ length: 500 }, random);
  const grid = new PointGrid(x, y);
  for (let n = 0; n < 50; n += 1) {
    const [px, py] = [random(), random()];
    const away = (row) => Math.hypot(x[row] - px, y[row] - py);
    const slow = [...x.keys()].reduce((best, row) => (away(row) < away(best) ? row : best), 0);
    assert.equal(grid.nearest(px, py, 0.5), slow);
    assert.equal(grid.nearest(px, py, 0.9 * away(slow)), -1);
  }
  assert.equal(grid.nearest(2, 2, 0.1), -1);
  assert.equal(new PointGrid([], []).nearest(0, 0, 1), -1);
});

test("raster: points in view, sorted by style; later styles lie above", () => {
  const { usual, dimmed, kept, hidden } = STYLES;
  const points = {
    x: Float32Array.of(0, 0, 0, 9, 0),
    y: Float32Array.of(0, 0, 0, 0, 0),
    shade: Uint16Array.of(0, 1, 0, 0, 0),
    style: Uint8Array.of(kept, usual, dimmed, usual, hidden),
  };
  const canvas = canvasOf(21, 21);
  const seen = findSeen(canvas, points, { x: 0, y: 0, scale: 10 });
  assert.deepEqual([seen.count, [...seen.row]], [3, [2, 1, 0]]);
  drawDiscs(canvas, seen, points, LOOK);
  const middle = 10 * 21 + 10;
  assert.equal(canvas.pixels[middle], RED);
  assert.equal(canvas.pixels[middle + 2], LOOK.outline);
  assert.equal(canvas.pixels[0], 0);
});

test("raster: a disc at the edge is cut off", () => {
  const points = {
    x: Float32Array.of(-1),
    y: Float32Array.of(1),
    shade: Uint16Array.of(1),
    style: Uint8Array.of(STYLES.usual),
  };
  const canvas = canvasOf(10, 10);
  const camera = { x: 0, y: 0, scale: 5 };
  drawDiscs(canvas, findSeen(canvas, points, camera), points, { ...LOOK, radius: 2 });
  assert.equal(canvas.pixels[0], GREEN);
  assert.equal(canvas.pixels[99], 0);
});

test("raster: density is the mean colour, and more points leave more ink", () => {
  const points = {
    x: Float32Array.of(-1, -1, 1, 1, 1, 1),
    y: new Float32Array(6),
    shade: Uint16Array.of(0, 1, 1, 1, 1, 1),
    style: new Uint8Array(6).fill(STYLES.usual),
  };
  const canvas = canvasOf(40, 20);
  drawDensity(canvas, findSeen(canvas, points, { x: 0, y: 0, scale: 10 }), points, LOOK);
  const [left, right] = [canvas.pixels[10 * 40 + 10], canvas.pixels[10 * 40 + 30]];
  assert.deepEqual([left & 255, (left >> 8) & 255], [127, 127]);
  assert.deepEqual([right & 255, (right >> 8) & 255], [0, 255]);
  assert.ok(right >>> 24 > left >>> 24 && left >>> 24 > 0);
  assert.equal(canvas.pixels[0], 0);
});

test("colours: packed as a canvas has them, and laid over each other", () => {
  assert.equal(parseColor("#4e79a7"), packColor(0x4e, 0x79, 0xa7));
  assert.equal(mixed(RED, GREEN, 255), GREEN);
  assert.equal(mixed(0, GREEN, 51) >>> 24, 51);
  const half = mixed(RED, GREEN, 127);
  assert.deepEqual([half & 255, (half >> 8) & 255, half >>> 24], [128, 127, 255]);
  assert.equal(createStamp(2, false), createStamp(2, false));
});

test("data: rows by class, ids, and groups of a mask", async () => {
  const data = dataOf();
  assert.deepEqual(
    [[...data.classOf], [...data.x], [...data.y]],
    [
      [0, 0, 1],
      [0, 1, 1],
      [0, 0, 1],
    ],
  );
  assert.deepEqual([data.sizeOf(2), data.rowOf("cat/1")], [[128, 64], -1]);
  const ids = new Uint8Array(deflateSync(JSON.stringify(["cat/1", "cat/é", "dog/1"])));
  await data.takeIds({ ids: packed(ids) });
  assert.deepEqual([data.rowOf("cat/é"), data.rowOf("gone")], [1, -1]);
  assert.deepEqual(data.groupsOf([1, 0, 1]), { cat: ["cat/1"], dog: ["dog/1"] });
  assert.deepEqual([...data.maskOf({ cat: ["cat/é", "gone"] })], [0, 1, 0]);
  assert.deepEqual([...data.matching("CAT é")], [0, 1, 0]);
  assert.deepEqual([...data.matching("dog")], [0, 0, 1]);
});

test("data: figures come class by class, in any order", () => {
  const data = dataOf();
  data.take({
    classes: ["dog", "cat"],
    score: packed(Float32Array.of(3, 1, 2)),
    cluster: packed(Int16Array.of(0, 1, -1)),
    box: packed(Int16Array.of(9, 9, 9, 9, 1, 2, 3, 4, 5, 6, 7, 8), [3, 4]),
  });
  assert.deepEqual([...data.marks.score], [1, 2, 3]);
  assert.deepEqual([...data.marks.cluster], [1, -1, 0]);
  assert.deepEqual([...data.marks.box], [1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 9]);
  assert.deepEqual([...data.known], [1, 1]);
});

test("changedClasses: those of changed overrides, or all", async () => {
  const data = dataOf();
  await data.takeIds({ ids: packed(new Uint8Array(deflateSync('["cat/1","cat/2","dog/1"]'))) });
  const { select } = DEFAULTS;
  assert.deepEqual(changedClasses(select, { ...select, bans: ["dog/1"] }, data), [1]);
  assert.deepEqual(changedClasses(select, { ...select, moves: ["cat/1@0,8"] }, data), [0]);
  assert.deepEqual(
    changedClasses({ ...select, pins: ["cat/1", "cat/2"] }, { ...select, pins: ["cat/2", "cat/1"] }, data),
    [0],
  );
  assert.deepEqual(changedClasses(select, select, data), []);
  assert.deepEqual(changedClasses(select, { ...select, ipc: 3 }, data), [0, 1]);
});

test("coloring: names with counts, scales without their tails, unknown ones grey", () => {
  const data = dataOf();
  const look = { grey: "#808080", ink: "#000000", accent: "#ff0000", isDark: false, aucs: [null, 0.9] };
  const scale = Uint8Array.from({ length: 768 }, (_, n) => Math.floor(n / 3));
  const byClass = coloring("class", data, { ...look, scale });
  assert.deepEqual(
    byClass.entries.map(({ label, count }) => [label, count]),
    [
      ["cat", 2],
      ["dog", 1],
    ],
  );
  const aucs = coloring("auc", data, { ...look, scale });
  assert.equal(aucs.table[aucs.shade[0]], GREY);
  assert.equal(aucs.range.high, Math.fround(0.9));
  const clusters = coloring("cluster", data, { ...look, scale });
  assert.equal(clusters.table[clusters.shade[0]], GREY);
  const many = Float32Array.from({ length: 201 }, (_, n) => n);
  assert.deepEqual(rangeWithoutTails(many), { low: 2, high: 198 });
  assert.deepEqual(rangeWithoutTails(Float32Array.of(Number.NaN)), { low: 0, high: 1 });
});

test("labelsOf: the middle of each class, the largest first", () => {
  const labels = labelsOf(dataOf(), false);
  assert.deepEqual(
    labels.map(({ text, x, y, count }) => [text, x, y, count]),
    [
      ["cat", 1, 0, 2],
      ["dog", 1, 1, 1],
    ],
  );
  assert.deepEqual(labelsOf(dataOf(), true), []);
});
