import assert from "node:assert/strict";
import { test } from "node:test";

import { svgOf, wrapped } from "../../assets/app/lib/picture.js";
import { fileWord } from "../../assets/app/lib/saving.js";

const THEME = { ink: "#111111", soft: "#555555", surface: "#ffffff" };
const PANEL = {
  caption: "Overlay",
  image: "data:image/webp;base64,AAAA",
  map: "data:image/png;base64,BBBB",
  smooth: false,
  opacity: 0.75,
  size: /** @type {[number, number]} */ ([128, 64]),
  marks: [{ box: /** @type {any} */ ([16, 0, 32, 32]), tag: "2", dashed: true }],
};
const SCALE = {
  stops: /** @type {any} */ ([
    [0, "red"],
    [1, "blue"],
  ]),
  ticks: ["0", "5 %", "10 %"],
  caption: "gap",
};

test("svg: a panel with its map, its boxes, the title and the scale", () => {
  const { text, width, height } = svgOf({ title: "a <b> & c", lines: [], panels: [PANEL], scale: SCALE, theme: THEME });
  assert.equal(width, 528);
  assert.ok(text.startsWith(`<svg xmlns="http://www.w3.org/2000/svg" width="528" height="${height}"`));
  assert.ok(text.includes("a &lt;b&gt; &amp; c"));
  assert.ok(!text.includes("<b>"));
  assert.equal(text.match(/<image /g)?.length, 2);
  assert.ok(text.includes('height="240"')); // half as high as wide
  assert.ok(text.includes('opacity="0.75"'));
  assert.ok(text.includes('stroke-dasharray="7 5"'));
  for (const tick of SCALE.ticks) assert.ok(text.includes(`>${tick}</text>`));
});

test("svg: the box is where it is in the image", () => {
  const { text } = svgOf({ title: "", lines: [], panels: [PANEL], scale: null, theme: THEME });
  assert.ok(/<rect x="84" y="44" width="120" height="120"/.test(text), text); // 480 / 128 = 3.75 for each pixel
});

test("svg: panels stand side by side", () => {
  const { width } = svgOf({ title: "t", lines: [], panels: [PANEL, PANEL], scale: null, theme: THEME });
  assert.equal(width, 24 + 480 + 24 + 480 + 24);
});

test("wrapped: lines of words", () => {
  assert.deepEqual(wrapped("one two three", 10 * 0.52 * 8, 10), ["one two", "three"]);
  assert.deepEqual(wrapped("", 100, 10), []);
});

test("file word: what every file system takes", () => {
  assert.equal(fileWord("snowman/1.png overlay"), "snowman-1.png-overlay");
  assert.equal(fileWord("../../Über <b>"), "Über-b");
  assert.equal(fileWord("///"), "image");
});
