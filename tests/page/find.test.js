// The filter of Find as a link, as numbers that people type, and in words.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  filterText,
  matchingClasses,
  NOTHING,
  PRESETS,
  parsePercent,
  percentText,
  presetOf,
  readFind,
  requestOf,
  sortedRows,
  writeFind,
} from "../../assets/app/lib/find.js";

const CLASSES = ["cat", "dog & co", "bird"];

test("writeFind: nothing is empty, and a filter is read back", () => {
  assert.equal(writeFind(NOTHING), "");
  /** @type {import("../../assets/app/lib/find.js").Find} */
  const find = {
    ...NOTHING,
    text: "a b&c",
    classes: ["cat", "dog & co"],
    status: "kept",
    score_min: -0.015,
    error_max: 0,
    near_duplicates: true,
    looks: "bird",
    sort: "looks",
    backwards: true,
  };
  assert.deepEqual(readFind(writeFind(find), CLASSES), { find, left: [] });
});

test("readFind: what the run does not know is left out, and named", () => {
  const { find, left } = readFind("classes=cow&status=lost&score_min=x&hit=miss&what=1&looks=*", CLASSES);
  assert.deepEqual(find, { ...NOTHING, hit: "miss", looks: "*" });
  assert.deepEqual(left, ["classes=cow", "status=lost", "score_min=x", "what=1"]);
  assert.equal(readFind("like=a.png", CLASSES).find.like, ""); // without a class
});

test("requestOf: only what the server answers", () => {
  const request = requestOf({ ...NOTHING, like: "a", show: "classes" });
  assert.equal("like" in request || "show" in request, false);
  assert.equal(request.status, "scored");
});

test("parsePercent: points, commas, signs and units", () => {
  assert.equal(parsePercent("1.5"), 0.015);
  assert.equal(parsePercent("1,5 %"), 0.015);
  assert.equal(parsePercent("−2"), -0.02);
  assert.equal(parsePercent("  "), null);
  assert.ok(Number.isNaN(parsePercent("many")));
  assert.equal(percentText(0.015), "1.5");
  assert.equal(percentText(null), "");
  assert.equal(percentText(parsePercent("0.07")), "0.07");
});

test("filterText: in words", () => {
  assert.equal(filterText(NOTHING), "");
  const find = { ...NOTHING, text: "x", classes: ["cat"], status: "kept", score_min: 0.01, looks: "*" };
  assert.equal(filterText(find), "“x”, cat, kept, score from 1 %, looks like another class");
  assert.equal(filterText({ ...NOTHING, error_max: 0.005 }), "standard error to 0.5 %");
});

test("presetOf: a preset is known again, also within a class", () => {
  for (const preset of PRESETS) {
    assert.equal(presetOf({ ...NOTHING, ...preset.values }), preset);
    assert.equal(presetOf({ ...NOTHING, ...preset.values, classes: ["cat"] }), preset);
  }
  assert.equal(presetOf(NOTHING), undefined);
});

test("sortedRows: unknown ones come last in both directions", () => {
  assert.deepEqual(sortedRows([2, Number.NaN, 1, 2], false), [2, 0, 3, 1]);
  assert.deepEqual(sortedRows([2, Number.NaN, 1, 2], true), [0, 3, 2, 1]);
  assert.deepEqual(sortedRows(["b", "a"], false), [1, 0]);
});

test("matchingClasses: all words, those that begin with the text first", () => {
  const classes = ["tiger cat", "cat", "dog", "Cat fish"].map((name) => ({
    name,
    scored: 1,
    skipped: 0,
    knowledge: null,
  }));
  const names = (/** @type {string} */ text) => matchingClasses(classes, text).map((one) => one.name);
  assert.deepEqual(names(" CAT "), ["cat", "Cat fish", "tiger cat"]);
  assert.deepEqual(names("cat ti"), ["tiger cat"]);
  assert.equal(names("").length, 4);
});
