import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import * as overrides from "../../assets/app/lib/overrides.js";
import { createStore } from "../../assets/app/lib/store.js";
import { DEFAULTS, viewOf } from "./defaults.js";

let store;

beforeEach(() => {
  store = createStore({ defaults: DEFAULTS, view: viewOf() }, "", () => 0);
});

function current() {
  const { pins, bans, moves } = store.state.select;
  return { pins, bans, moves };
}

test("an image is pinned or banned, never both", () => {
  overrides.togglePin(store, "a");
  overrides.toggleBan(store, "a");
  assert.deepEqual(current(), { pins: [], bans: ["a"], moves: [] });
  overrides.togglePin(store, "a");
  assert.deepEqual(current(), { pins: ["a"], bans: [], moves: [] });
  overrides.togglePin(store, "a");
  assert.deepEqual(current(), { pins: [], bans: [], moves: [] });
});

test("each override is a step of undo, however fast they follow each other", () => {
  overrides.togglePin(store, "a");
  overrides.togglePin(store, "b");
  store.undo();
  assert.deepEqual(current().pins, ["a"]);
});

test("replaceImage: the new image takes the position among the pins", () => {
  for (const id of ["a", "b", "c"]) overrides.togglePin(store, id);
  overrides.replaceImage(store, "b", "d");
  assert.deepEqual(current(), { pins: ["a", "d", "c"], bans: ["b"], moves: [] });
  store.undo();
  assert.deepEqual(current().pins, ["a", "b", "c"]);
});

test("moveBox, movedTo and resetBoxes: ids may contain @", () => {
  overrides.moveBox(store, "x@2/1.png", 8, 16);
  overrides.moveBox(store, "x@2/1.png", 24, 0);
  overrides.moveBox(store, "a", 1, 2);
  assert.deepEqual(current().moves, ["a@1,2", "x@2/1.png@24,0"]);
  assert.deepEqual(overrides.movedTo(store.state.select, "x@2/1.png"), [24, 0]);
  assert.equal(overrides.movedTo(store.state.select, "b"), null);
  overrides.resetBoxes(store, ["a"]);
  assert.deepEqual(current().moves, ["x@2/1.png@24,0"]);
});

test("removeOverrides and overridesText", () => {
  overrides.togglePin(store, "a");
  overrides.toggleBan(store, "b");
  overrides.moveBox(store, "a", 0, 0);
  assert.equal(overrides.overridesText(store.state.select), "1 pinned, 1 banned, 1 moved");
  overrides.removeOverrides(store, [{ kind: "pin", image_id: "a" }]);
  assert.deepEqual(current(), { pins: [], bans: ["b"], moves: ["a@0,0"] });
  overrides.clearOverrides(store);
  assert.equal(overrides.overridesText(store.state.select), "");
});
