// Quantities with their units, and the names of maps.

import assert from "node:assert/strict";
import { test } from "node:test";

import { locatingMap, quantityOf, withUnit } from "../../assets/app/lib/quantities.js";

test("withUnit: a share, its standard error where it is known, and no unit without a value", () => {
  assert.equal(withUnit(0.05), "5.00 % of the mean loss");
  assert.equal(withUnit(0.134, 0.021), "13.4 ± 2.1 % of the mean loss");
  assert.equal(withUnit(0.134, null), "13.4 % of the mean loss");
  assert.equal(withUnit(null), "–");
  assert.equal(withUnit(Number.NaN, 0.1), "–");
});

test("locatingMap: the kind of map, and whether it is smoothed", () => {
  assert.equal(locatingMap({ locate: "difference", smooth: 0 }), "difference");
  assert.equal(locatingMap({ locate: "difference", smooth: 1.5 }), "smoothed difference");
  assert.equal(locatingMap({ locate: "positive", smooth: 0 }), "positive gap");
  assert.equal(locatingMap({ locate: "signed", smooth: 2 }), "smoothed signed gap");
});

test("quantityOf: the overlay shows the map that locates, the other views their own", () => {
  const select = { locate: "difference", smooth: 1 };
  assert.equal(quantityOf("Overlay", select).name, "smoothed difference");
  assert.equal(quantityOf("Difference", select).name, "difference");
  assert.equal(quantityOf("Gap", select).name, "gap");
});
