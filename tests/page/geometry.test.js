import assert from "node:assert/strict";
import { test } from "node:test";

import * as geometry from "../../assets/app/lib/geometry.js";

/** An element that remembers its style properties. */
function fakeElement() {
  const style = new Map();
  return { style: { setProperty: (name, value) => style.set(name, value) }, properties: style };
}

test("placeBox: per cent of the image", () => {
  const element = fakeElement();
  geometry.placeBox(element, [32, 16, 64, 32], [128, 64]);
  assert.deepEqual(Object.fromEntries(element.properties), { left: "25%", top: "25%", width: "50%", height: "50%" });
});

test("cropImage: the box fills the frame", () => {
  const element = fakeElement();
  geometry.cropImage(element, [32, 16, 64, 32], [128, 64]);
  assert.deepEqual(Object.fromEntries(element.properties), {
    left: "-50%",
    top: "-50%",
    width: "200%",
    height: "200%",
  });
});

test("cropShares: undoes boxShares, since the box becomes the whole frame", () => {
  const [box, size] = [
    [10, 20, 30, 40],
    [100, 200],
  ];
  const [placed, cropped] = [geometry.boxShares(box, size), geometry.cropShares(box, size)];
  // A point of the image at a share p of its width is at left + p * width of the frame.
  assert.ok(Math.abs(cropped.left + placed.left * cropped.width) < 1e-12);
  assert.ok(Math.abs(cropped.left + (placed.left + placed.width) * cropped.width - 1) < 1e-12);
  assert.ok(Math.abs(cropped.top + placed.top * cropped.height) < 1e-12);
});

test("fitSquare: the longer side fills the square", () => {
  const element = fakeElement();
  geometry.fitSquare(element, [128, 64]);
  assert.deepEqual(Object.fromEntries(element.properties), { "--w": "1", "--h": "0.5" });
});

test("clampBox: inside the image, at whole pixels", () => {
  assert.deepEqual(geometry.clampBox([-3.2, 70.6, 32, 32], [128, 96]), [0, 64, 32, 32]);
  assert.deepEqual(geometry.clampBox([10.4, 10.6, 32, 32], [128, 96]), [10, 11, 32, 32]);
});
