// One picture under two settings: a slider wipes between A's map and box and B's.

import { endsOf, unpack } from "../lib/colors.js";
import { fill, h, percent, set, uid } from "../lib/dom.js";
import { placeBoxes } from "./box_pair.js";

/** The picture with its slider; `show(row)` paints picture and boxes, `maps(a, b)` both answers of "image". */
export function createWipe(app) {
  const layers = { a: makeLayer("a"), b: makeLayer("b") };
  const range = h("input.wipe-range", {
    type: "range",
    min: 0,
    max: 100,
    step: 1,
    value: 50,
    "aria-label": "Wipe between A and B",
    oninput: () => wipe(),
  });
  const divider = h("span.wipe-line", { "aria-hidden": "true" }, h("span.wipe-grip", {}, "⇔"));
  const tags = [
    h("span.wipe-tag.of-a", { "aria-hidden": "true" }, "A"),
    h("span.wipe-tag.of-b", { "aria-hidden": "true" }, "B"),
  ];
  const view = h("div.wipe-view", {}, layers.a.element, layers.b.element, divider, tags, range);
  const opacity = makeOpacity(view);
  const legend = h("div", {});
  const element = h("div.wipe", {}, h("div.wipe-fit", {}, view), opacity, legend);
  const shown = { key: "" };
  wipe();
  return { element, show, maps };

  function wipe() {
    const at = range.valueAsNumber;
    view.style.setProperty("--at", `${at}%`);
    range.setAttribute("aria-valuetext", `${percent(at / 100)} A, ${percent(1 - at / 100)} B`);
  }

  /** The picture and both boxes, at once. */
  function show(row) {
    const [width, height] = row.size;
    set(view, { style: { "aspect-ratio": `${width} / ${height}`, "--tall": height / width } });
    placeBoxes(layers.a.place, row.a?.boxes ?? [], row.size, "a");
    placeBoxes(layers.b.place, row.b?.boxes ?? [], row.size, "b");
    const { run, class_name: name } = app.store.state;
    const key = JSON.stringify([run, name, row.id]);
    if (shown.key === key) return;
    shown.key = key;
    for (const layer of Object.values(layers)) {
      layer.picture.alt = "";
      layer.canvas.hidden = true;
    }
    range.setAttribute("aria-label", `Wipe between A and B on image ${row.id}`);
    const put = (url) => shown.key === key && Object.values(layers).forEach(({ picture }) => (picture.src = url));
    app.pictures.url("thumbnail", run, name, row.id).then(
      (url) => {
        if (!shown.sharp) put(url);
      },
      () => {},
    );
    shown.sharp = false;
    app.pictures.url("proxy", run, name, row.id).then(
      (url) => {
        if (shown.key === key) shown.sharp = true;
        put(url);
      },
      (error) => app.toast(error.message, "error"),
    );
  }

  /** Both maps on one scale, so that they can be compared. */
  function maps(a, b) {
    const [first, second] = [unpack(a.maps.combined), unpack(b.maps.combined)];
    const ends = endsOf([...first.values, ...second.values], true);
    for (const [layer, map] of [
      [layers.a, first],
      [layers.b, second],
    ]) {
      app.heat.draw(layer.canvas, map, ends, (share) => Math.min(1, 0.15 + share * 1.6));
      layer.canvas.hidden = false;
    }
    fill(legend, app.heat.legend(ends, "combined gap, as a share of the loss; one scale for A and B"));
  }
}

function makeLayer(side) {
  const picture = h("img", { alt: "", draggable: false });
  const canvas = h("canvas", { hidden: true, "aria-hidden": "true" });
  const place = h("span.boxes", { "aria-hidden": "true" });
  return { picture, canvas, place, element: h(`div.layer.layer-${side}`, {}, picture, canvas, place) };
}

function makeOpacity(view) {
  const id = uid("opacity");
  const output = h("output.value", { htmlFor: id });
  const input = h("input", { type: "range", id, min: 0, max: 100, step: 5, value: 70, oninput: () => put() });
  const slider = h("div.slider", {}, input);
  const put = () => {
    view.style.setProperty("--heat", input.valueAsNumber / 100);
    slider.style.setProperty("--share", input.valueAsNumber / 100);
    output.textContent = percent(input.valueAsNumber / 100, 2);
  };
  put();
  return h("div.wipe-opacity", {}, h("label", { htmlFor: id }, "Map over picture"), slider, output);
}
