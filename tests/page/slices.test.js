import assert from "node:assert/strict";
import { test } from "node:test";

import { Slices } from "../../assets/app/lib/slices.js";

/** An app whose run stores these slices. */
function appOf(stored, writable = false) {
  const asked = [];
  const ask = async (method, params) => {
    asked.push([method, params]);
    if (method === "slices") return { slices: stored, writable };
    return method === "slice" ? { groups: { cat: ["cat/9"] } } : {};
  };
  return { ask, asked, start: { run: { dataset: "toys", prior: "demo", scored: 3 } } };
}

test("a slice of the browser is listed, read and removed; another run has none of it", async () => {
  const slices = new Slices(appOf([]));
  await slices.save("odd", { cat: ["cat/1"], dog: ["dog/1"] }, false);
  const { slices: all, isWritable } = await slices.list();
  assert.deepEqual([all, isWritable], [[{ name: "odd", count: 2, isShared: false }], false]);
  assert.deepEqual(await slices.read("odd"), { cat: ["cat/1"], dog: ["dog/1"] });
  const other = appOf([]);
  other.start.run.prior = "another";
  assert.deepEqual((await new Slices(other).list()).slices, []);
  await slices.remove({ name: "odd", count: 2, isShared: false });
  assert.deepEqual((await slices.list()).slices, []);
  await assert.rejects(slices.read("odd"), /Neither this run nor this browser has a slice named odd/);
});

test("a slice of the run comes first, and is saved and removed there", async () => {
  const app = appOf([{ name: "odd", count: 1 }], true);
  const slices = new Slices(app);
  await slices.save("odd", { cat: ["cat/1"] }, false);
  assert.deepEqual(await slices.read("odd"), { cat: ["cat/9"] });
  await slices.save("new", { cat: ["cat/1"], dog: ["dog/1"] }, true);
  await slices.remove({ name: "new", count: 2, isShared: true });
  assert.deepEqual(app.asked.slice(-2), [
    ["slice_save", { name: "new", ids: ["cat/1", "dog/1"] }],
    ["slice_delete", { name: "new" }],
  ]);
});
