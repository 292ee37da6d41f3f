import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { banMany, MOST_OVERRIDDEN, pinMany, releaseMany } from "../../assets/app/lib/overrides.js";
import { grouped, MOST_IN_LINK, restoreSelection, Selection } from "../../assets/app/lib/selection.js";
import { createStore } from "../../assets/app/lib/store.js";
import { DEFAULTS, viewOf } from "./defaults.js";

let store;
let selection;

beforeEach(() => {
  store = createStore({ defaults: DEFAULTS, view: { ...viewOf(), slice: "", ids: [] } }, "", () => 0);
  selection = new Selection(store);
});

test("grouped: by class, in the order given", () => {
  const images = [
    { id: "b/1", class_name: "b" },
    { id: "a/1", class_name: "a" },
    { id: "b/0", class_name: "b" },
  ];
  assert.deepEqual(grouped(images), { b: ["b/1", "b/0"], a: ["a/1"] });
});

test("set: a short selection is in the link by ids, listeners are told once", () => {
  let told = 0;
  const stop = selection.subscribe(() => {
    told += 1;
  });
  selection.set({ a: ["a/1", "a/2"], b: ["b/1"], c: [] }, "a lasso");
  assert.deepEqual([selection.count, selection.ids, selection.label], [3, ["a/1", "a/2", "b/1"], "a lasso"]);
  assert.deepEqual(Object.keys(selection.groups), ["a", "b"]);
  assert.equal(store.query(), "ids=a%2F1&ids=a%2F2&ids=b%2F1");
  assert.equal(told, 1);
  stop();
  selection.clear();
  assert.deepEqual([told, selection.count, store.query()], [1, 0, ""]);
});

test("set: a long selection is in the link by the name of its slice alone", () => {
  const ids = Array.from({ length: MOST_IN_LINK + 1 }, (_, n) => `a/${n}`);
  selection.set({ a: ids });
  assert.equal(store.query(), "");
  selection.set({ a: ids }, "", "odd ones");
  assert.equal(store.query(), "slice=odd+ones");
  assert.equal(selection.slice, "odd ones");
});

test("another run forgets the selection, and its link is restored", async () => {
  selection.set({ a: ["a/1"] });
  store.open({ ...viewOf(), run: "token", slice: "", ids: ["b/1", "a/9"] });
  assert.equal(selection.count, 0);
  const asked = [];
  const ask = async (...what) => {
    asked.push(what);
    return { groups: { b: ["b/1"], a: ["a/9"] } };
  };
  await restoreSelection({ store, selection, ask });
  assert.deepEqual(asked, [["classes_of", { ids: ["b/1", "a/9"] }]]);
  assert.deepEqual(selection.groups, { b: ["b/1"], a: ["a/9"] });
});

test("the gallery shows the selection until it is cleared", () => {
  selection.showInGallery(true);
  assert.equal(selection.inGallery, false);
  selection.set({ a: ["a/1"] });
  selection.showInGallery(true);
  assert.equal(selection.inGallery, true);
  assert.deepEqual([selection.of("a"), selection.of("b")], [["a/1"], []]);
  selection.clear();
  assert.equal(selection.inGallery, false);
});

test("pinMany, banMany and releaseMany: one step of undo each, and never both", () => {
  pinMany(store, ["a", "b"]);
  banMany(store, ["c", "b"]);
  assert.deepEqual([store.state.select.pins, store.state.select.bans], [["a"], ["b", "c"]]);
  pinMany(store, ["d", "b", "a"]);
  assert.deepEqual([store.state.select.pins, store.state.select.bans], [["a", "d", "b"], ["c"]]);
  releaseMany(store, ["a", "c", "d"]);
  assert.deepEqual([store.state.select.pins, store.state.select.bans], [["b"], []]);
  store.undo();
  store.undo();
  assert.deepEqual([store.state.select.pins, store.state.select.bans], [["a"], ["b", "c"]]);
});

test("pinMany: no more than requests can carry", () => {
  const ids = Array.from({ length: MOST_OVERRIDDEN + 1 }, (_, n) => String(n));
  assert.throws(() => pinMany(store, ids), /At most 5000 images .* would be 5001/);
  assert.deepEqual(store.state.select.pins, []);
});
