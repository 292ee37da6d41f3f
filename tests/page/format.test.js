import assert from "node:assert/strict";
import { test } from "node:test";

import * as format from "../../assets/app/lib/format.js";

test("number: three significant digits and a true minus sign", () => {
  const cases = [
    [0, "0"],
    [0.12345, "0.123"],
    [-1.5, "−1.50"],
    [123.456, "123"],
    [1234567, "1.23e+6"],
    [-0.00001234, "−1.23e−5"],
    [Number.NaN, "–"],
    [null, "–"],
  ];
  for (const [value, text] of cases) assert.equal(format.number(value), text);
});

test("with error: two digits of the error, and as many decimals of the number", () => {
  const cases = [
    [0.13377, 0.0213, "0.134 ± 0.021"],
    [-0.5, 0.25, "−0.50 ± 0.25"],
    [12.34, 3.21, "12.3 ± 3.2"],
    [123.4, 45.6, "123 ± 46"],
    [0.5, null, "0.5"],
    [0.5, Number.NaN, "0.5"],
    [null, 0.1, "–"],
    [0.5, 0.00001, "0.5 ± 1.0e−5"],
  ];
  for (const [value, error, text] of cases) assert.equal(format.withError(value, error), text);
});

test("column: the largest number decides the decimals of all", () => {
  assert.deepEqual(format.column([12.34, -0.5, null, 0.001]), ["12.3", "−0.5", "–", "0"]);
});

test("bytes: decimal units", () => {
  const texts = [999, 1500, 25_000_000, 3_200_000_000].map(format.bytes);
  assert.deepEqual(texts, ["999 bytes", "1.5 kB", "25 MB", "3.2 GB"]);
});

test("plural, percent and duration", () => {
  assert.equal(format.plural(1, "patch", "patches"), "1 patch");
  assert.equal(format.plural(1200, "patch", "patches"), "1,200 patches");
  assert.equal(format.percent(0.1234), "12.3 %");
  assert.deepEqual([5, 100, 7260, 200_000].map(format.duration), ["5 s", "2 min", "2 h 1 min", "2 days"]);
});

test("percent with error: like a number with its error, and the share alone without one", () => {
  const cases = [
    [0.0463, 0.013, "4.6 ± 1.3 %"],
    [0.000753, 0.004, "0.08 ± 0.40 %"],
    [0.0463, null, "4.63 %"],
    [null, 0.1, "–"],
  ];
  for (const [value, error, text] of cases) assert.equal(format.percentWithError(value, error), text);
});

test("distance: three decimals, so that figures of one column agree", () => {
  assert.deepEqual([0.8, 0.8579, null].map(format.distance), ["0.800", "0.858", "–"]);
});
