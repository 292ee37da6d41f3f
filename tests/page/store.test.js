import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { createStore } from "../../assets/app/lib/store.js";
import { DEFAULTS, viewOf } from "./defaults.js";

let clock = 0;
let store;

beforeEach(() => {
  clock = 0;
  store = createStore({ defaults: DEFAULTS, view: viewOf() }, "", () => clock);
});

test("select: listeners get the keys that changed", () => {
  const changes = [];
  const stop = store.subscribe((change) => changes.push([...change]));
  store.select({ ipc: 11 });
  store.select({ ipc: 11 });
  store.go({ class_name: "disc", tab: "" });
  stop();
  store.select({ ipc: 12 });
  assert.deepEqual(changes, [["select"], ["class_name"]]);
});

test("undo and redo: settings and A, but not the position", () => {
  store.select({ ipc: 11 }, "swap", { a: "ipc=10" });
  store.go({ class_name: "disc" });
  assert.equal(store.undo(), true);
  assert.deepEqual([store.state.select.ipc, store.state.a, store.state.class_name], [10, "", "disc"]);
  assert.equal(store.undo(), false);
  assert.equal(store.redo(), true);
  assert.deepEqual([store.state.select.ipc, store.state.a], [11, "ipc=10"]);
  assert.ok(store.canUndo() && !store.canRedo());
});

test("undo: moves of one widget in quick succession are one step", () => {
  for (const ipc of [11, 12, 13]) {
    store.select({ ipc });
    clock += 100;
  }
  store.select({ patch_px: 32 });
  store.undo();
  assert.deepEqual([store.state.select.ipc, store.state.select.patch_px], [13, 0]);
  store.undo();
  assert.equal(store.state.select.ipc, 10);
});

test("undo: a pause starts a new step", () => {
  store.select({ ipc: 11 });
  clock += 1000;
  store.select({ ipc: 12 });
  store.undo();
  assert.equal(store.state.select.ipc, 11);
});

test("select: a new step discards what could be redone", () => {
  store.select({ ipc: 11 });
  store.undo();
  store.select({ patch_px: 32 });
  assert.equal(store.redo(), false);
});

test("open: another run starts without steps", () => {
  store.select({ ipc: 11 });
  store.open({ ...viewOf(), run: "token" });
  assert.deepEqual([store.state.run, store.state.select.ipc, store.canUndo()], ["token", 10, false]);
});
