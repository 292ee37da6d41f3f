import assert from "node:assert/strict";
import { test } from "node:test";

import { knowledgeText, unknownClassText } from "../../assets/app/lib/knowledge.js";

const GOOD = { images: 8, pairs: 40, auc: 0.97, standard_error: 0.01, near_chance: false };
const BAD = { images: 8, pairs: 40, auc: 0.516, standard_error: 0.05, near_chance: true };

test("knowledge: the run first, then the class, then that it is unknown", () => {
  const good = { knowledge: GOOD, knowledge_reason: "" };
  assert.equal(knowledgeText(good, { name: "robot", knowledge: GOOD }), "");
  assert.equal(
    knowledgeText(good, { name: "robot", knowledge: BAD }),
    "This prior does not tell robot from other classes (AUC 0.52, chance is 0.5): its scores mean little.",
  );
  assert.equal(
    knowledgeText({ ...good, knowledge: BAD }, { name: "robot", knowledge: GOOD }),
    "This prior does not tell the classes of this run from each other (AUC 0.52, chance is 0.5): its scores mean little.",
  );
  const none = { ...GOOD, auc: null };
  const one = knowledgeText({ knowledge: none, knowledge_reason: "one_class" }, { name: "fish", knowledge: none });
  assert.match(one, /^Whether this prior knows fish is unknown: a run of one class has no other names/);
  assert.equal(knowledgeText({ knowledge: null, knowledge_reason: "" }, { name: "fish", knowledge: null }), "");
});

test("class names: those that the prior was not trained on", () => {
  const known = ["rubber duck", "robot"];
  for (const name of ["", "  ", "Robot", "rubber_duck ", "RUBBER  DUCK"])
    assert.equal(unknownClassText(name, known), "");
  assert.equal(
    unknownClassText(" fish ", known),
    "This prior was not trained on “fish”, so its scores will mean little. It knows rubber duck, robot.",
  );
  assert.equal(unknownClassText("fish", []), "");
});
