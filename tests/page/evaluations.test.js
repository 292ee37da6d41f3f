import assert from "node:assert/strict";
import { test } from "node:test";

import {
  accuracyText,
  distinctions,
  filterFor,
  imagesText,
  ipcsOf,
  passing,
  pointsText,
  progressText,
  pText,
  seriesOf,
  verdictText,
} from "../../assets/app/lib/evaluations.js";

const row = (name, ipc, mean, more = {}) => ({
  name,
  ipc,
  images: 10 * ipc,
  training_images: 10 * ipc,
  image_px: 128,
  student_px: 64,
  students: 3,
  mean,
  sd: 0.02,
  standard_error: 0.01,
  best_mean: mean,
  difference: null,
  p_value: null,
  ...more,
});
const evaluation = (more = {}) => ({
  fingerprint: "a",
  complete: true,
  current: false,
  validation: false,
  student: "convnet-4",
  recipe: "hard",
  test: "toybox:seed=13",
  test_images: 1000,
  settings: { seeds: 3, steps: 300, unpack: true },
  select: {},
  notices: [],
  rows: [row("dsel", 10, 0.36), row("dsel", 1, 0.2), row("random-whole", 10, 0.31)],
  ...more,
});

test("series: one per set, by IPC, without rows that have no student", () => {
  const [set, random, ...others] = seriesOf(
    [evaluation({ rows: [...evaluation().rows, row("herding", 10, null)] })],
    () => "",
  );
  assert.deepEqual(others, []);
  assert.deepEqual([set.label, random.label], ["dsel", "random whole"]);
  assert.deepEqual(
    set.points.map(({ ipc, mean, error }) => [ipc, mean, error]),
    [
      [1, 0.2, 0.01],
      [10, 0.36, 0.01],
    ],
  );
  assert.deepEqual(ipcsOf([set, random]), [1, 10]);
});

test("series: equal baselines of two evaluations are one, and different sets are told apart", () => {
  const other = evaluation({ student: "x", rows: [row("dsel", 10, 0.18), row("random-whole", 10, 0.31)] });
  const labels = seriesOf([evaluation(), other], (one) => one.student).map((one) => one.label);
  assert.deepEqual(labels, ["dsel (convnet-4)", "random whole", "dsel (x)"]);
});

test("series: an evaluation at one IPC is a part of that at several", () => {
  const part = evaluation({ fingerprint: "b", rows: evaluation().rows.filter(({ ipc }) => ipc === 10) });
  const both = seriesOf([part, evaluation()], () => "");
  assert.deepEqual(
    both.map((one) => [one.label, one.points.length]),
    seriesOf([evaluation()], () => "").map((one) => [one.label, one.points.length]),
  );
});

test("images: with the tiles of mosaics", () => {
  assert.equal(imagesText({ images: 20, training_images: 20 }), "20");
  assert.equal(imagesText({ images: 20, training_images: 80 }), "20 (80 tiles)");
});

test("distinctions: only what differs", () => {
  const [a, b] = [evaluation(), evaluation({ student: "resnet-10", settings: { ...evaluation().settings, steps: 9 } })];
  const text = distinctions([a, b], () => "");
  assert.deepEqual([text(a), text(b)], ["convnet-4, 300 steps", "resnet-10, 9 steps"]);
  assert.equal(distinctions([a], () => "patch size 32 px")(a), "");
});

test("filter: the last evaluation of the current settings, or the last of all", () => {
  const list = [evaluation({ current: true }), evaluation({ student: "resnet-10" })];
  assert.equal(filterFor(list).student, "convnet-4");
  assert.equal(filterFor(list.slice(1)).student, "resnet-10");
  assert.deepEqual(filterFor([]), { student: "", recipe: "", test: "", scope: "all" });
  assert.equal(passing(list, filterFor(list)).length, 1);
  assert.equal(passing(list, { ...filterFor(list), student: "" }).length, 2);
  assert.equal(passing(list, { ...filterFor(list), student: "", scope: "current" }).length, 1);
});

test("texts: accuracies, differences and p values", () => {
  assert.equal(accuracyText(0.3591, 0.0112), "35.9 ± 1.1");
  assert.equal(accuracyText(0.3591), "35.9");
  assert.equal(accuracyText(null), "–");
  assert.deepEqual([0.05, -0.05, 0.0001, null].map(pointsText), ["+5.0", "−5.0", "0.0", "–"]);
  assert.deepEqual([0.0004, 0.0123, null].map(pText), ["< 0.001", "0.012", "–"]);
  assert.equal(progressText(evaluation()), "");
  assert.equal(
    progressText(evaluation({ complete: false, rows: [row("dsel", 1, 0.2, { students: 1 })] })),
    "33 % finished",
  );
});

test("verdict: a sentence for each kind", () => {
  const of = (kind, difference, p) => verdictText({ kind, difference, p_value: p, ipc: 10 });
  assert.equal(of("better", 0.05, 0.012), "Trains better than random whole images, by 5.0 points (p = 0.012).");
  assert.equal(of("worse", -0.13, 0.0001), "Trains worse than random whole images, by 13.0 points (p < 0.001).");
  assert.equal(of("similar", 0.004, 0.4), "Trains no better than random whole images: +0.4 points (p = 0.400).");
  assert.equal(of("untested", 0.02, null), "+2.0 points to random whole images, from too few students for a test.");
  assert.equal(of("unknown", null, null), "Not evaluated at these settings and IPC 10.");
});
