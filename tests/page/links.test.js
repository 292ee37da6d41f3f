import assert from "node:assert/strict";
import { test } from "node:test";

import { imageQuery, queryOf, readSearch, same, selectQuery, writeSearch } from "../../assets/app/lib/links.js";
import { createStore } from "../../assets/app/lib/store.js";
import { DEFAULTS, viewOf } from "./defaults.js";

test("queryOf: only what differs from the defaults", () => {
  assert.equal(queryOf(viewOf(), DEFAULTS), "");
  const view = viewOf({ patch_px: 32, across: false, timesteps: [300, 400] }, { file_format: "jpeg" });
  const query = queryOf({ ...view, class_name: "a & b", image_id: "a/1.png", a: "ipc=3" }, DEFAULTS);
  assert.deepEqual(
    [...new URLSearchParams(query)],
    [
      ["class", "a & b"],
      ["image", "a/1.png"],
      ["a", "ipc=3"],
      ["patch_px", "32"],
      ["across", "False"],
      ["timesteps", "300"],
      ["timesteps", "400"],
      ["file_format", "jpeg"],
    ],
  );
});

test("selectQuery: never empty", () => {
  assert.equal(selectQuery(DEFAULTS, DEFAULTS.select), "ipc=10");
  assert.equal(selectQuery(DEFAULTS, { ...DEFAULTS.select, ipc: 4 }), "ipc=4");
});

test("readSearch and writeSearch: a round trip with the run", () => {
  const store = createStore({ defaults: DEFAULTS, view: { ...viewOf({ ipc: 4 }), class_name: "disc" } }, "token");
  const search = writeSearch(store, "?__theme=dark&ipc=9");
  assert.equal(search, "?class=disc&ipc=4&run=token&__theme=dark");
  assert.deepEqual(readSearch(search), { run: "token", view: "class=disc&ipc=4&__theme=dark" });
});

test("writeSearch: the first tab is left out, and a plain view has no query", () => {
  const store = createStore({ defaults: DEFAULTS, view: { ...viewOf(), tab: "inspect" } }, "");
  assert.equal(writeSearch(store, ""), "");
  store.go({ tab: "score" });
  assert.equal(writeSearch(store, ""), "?tab=score");
});

test("imageQuery: the same settings for another image", () => {
  assert.equal(imageQuery("ipc=4&a=ipc%3D3&tab=compare&image=x", "disc", "y"), "ipc=4&image=y&class=disc");
});

test("same: by value", () => {
  assert.ok(same([1, 2], [1, 2]));
  assert.ok(!same([1, 2], [2, 1]));
});
