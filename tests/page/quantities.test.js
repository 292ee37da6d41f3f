// Quantities with their units.

import assert from "node:assert/strict";
import { test } from "node:test";

import { withUnit } from "../../assets/app/lib/quantities.js";

test("withUnit: a share, its standard error where it is known, and no unit without a value", () => {
  assert.equal(withUnit(0.05), "5.00 % of the mean loss");
  assert.equal(withUnit(0.134, 0.021), "13.4 ± 2.1 % of the mean loss");
  assert.equal(withUnit(0.134, null), "13.4 % of the mean loss");
  assert.equal(withUnit(null), "–");
  assert.equal(withUnit(Number.NaN, 0.1), "–");
});
