// Which of several names is the best, in words.

import assert from "node:assert/strict";
import { test } from "node:test";
import { verdictText } from "../../assets/app/lib/names.js";

const CAT = { name: "cat", score: 0.02, behind: 0, behind_error: 0 };

test("verdictText: a clear lead, one that the noise explains, and no name that helps", () => {
  const dog = { name: "dog", score: 0.005, behind: 0.015, behind_error: 0.002 };
  assert.equal(verdictText([CAT, dog]), "“cat” fits best: it leads “dog” by 1.50 ± 0.20 %.");
  const near = { ...dog, behind: 0.003 };
  const text = "“cat” leads “dog” by 0.30 ± 0.20 %, which the noise could explain: take more draws to tell them apart.";
  assert.equal(verdictText([CAT, near]), text);
  const low = { ...CAT, score: -0.01 };
  assert.ok(verdictText([low, dog]).startsWith("No name lowers the loss; “cat” fits best"));
  const unknown = { ...dog, behind_error: null };
  assert.ok(verdictText([CAT, unknown]).includes("whose error is unknown"));
  assert.equal(verdictText([]), "The picture could not be scored.");
});
