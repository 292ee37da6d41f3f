import assert from "node:assert/strict";
import { test } from "node:test";

import { listOf, numberOf, wholeOf } from "../../assets/app/lib/numbers.js";

test("number: a comma is a decimal comma", () => {
  const cases = [
    ["0,5", 0.5],
    ["0.5", 0.5],
    [" −1,25 ", -1.25],
    ["0,500", 0.5],
    [",5", 0.5],
    ["12", 12],
    ["1e-3", 0.001],
    ["1\u202f000", 1000],
    ["12 000", null],
    ["", null],
    ["three", null],
    ["1,2,3", null],
    ["1.000,5", null],
    ["Infinity", null],
  ];
  for (const [text, number] of cases) assert.equal(numberOf(text), number, text);
});

test("number: what may be a thousand times as much is none", () => {
  for (const text of ["1,000", "12,345", "1,234,567", "1,234.5"]) assert.equal(numberOf(text), null, text);
});

test("whole: no fraction is rounded or read without its comma", () => {
  assert.equal(wholeOf("128"), 128);
  assert.equal(wholeOf("12,8"), null);
  assert.equal(wholeOf("0,5"), null);
});

test("list: fractions keep their decimal commas", () => {
  assert.deepEqual(listOf("0,5 0,75", false), ["0,5", "0,75"]);
  assert.deepEqual(listOf("0.5, 0.75", false), ["0.5", "0.75"]);
  assert.deepEqual(listOf("0.5,0.75", false), ["0.5", "0.75"]);
  assert.deepEqual(listOf("0,5; 0,75", false), ["0,5", "0,75"]);
  assert.deepEqual(listOf("300, 600,700", true), ["300", "600", "700"]);
});
