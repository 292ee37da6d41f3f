// The settings of an export: image size, mosaics, file format, and where pixels come from.

import { h, uid } from "../lib/dom.js";
import { WORDS } from "./sidebar.js";

const SIDES = [32, 64, 128, 224, 256, 512];
const NAMES = {
  file_format: { png: "PNG", jpeg: "JPEG" },
  pixels: { auto: "Source if there", source: "Source", proxy: "Proxies" },
};
const HELP = {
  file_format: "PNG keeps every pixel; JPEG is smaller.",
  pixels: "The source's own files have the full resolution; proxies are the pictures as the prior saw them.",
  factor: "Patches per side of one image; the same setting as in the sidebar.",
};

/** The widgets, which write into the store; `show()` follows it. */
export function createFormat(app) {
  const { store } = app;
  const widgets = () =>
    Object.fromEntries([...app.start.widgets.export, ...app.start.widgets.select].map((one) => [one.name, one]));
  const side = createSide(store, widgets);
  const choices = [
    createChoice(
      widgets().factor,
      (value) => store.select({ factor: value }),
      () => store.state.select.factor,
      WORDS.factor,
    ),
    ...["file_format", "pixels"].map((name) =>
      createChoice(
        widgets()[name],
        (value) => store.exporting({ [name]: value }),
        () => store.state.export[name],
        NAMES[name],
      ),
    ),
  ];
  const element = h(
    "div.format",
    {},
    side.element,
    choices.map((one) => one.element),
  );
  return { element, show: () => [side, ...choices].forEach((one) => one.show()) };
}

/** Common sides, any other by its number, and the prior's own resolution as the default. */
function createSide(store, widgets) {
  const id = uid("side");
  const own = h("input", {
    type: "number",
    id,
    min: 1,
    max: 8192,
    step: 1,
    placeholder: "other",
    "aria-label": "Another image size in px",
    onchange: () => write(own.valueAsNumber),
  });
  const row = h("div.segments", { role: "group", "aria-label": "Image size in px" });
  const value = h("output.value");
  const element = h(
    "div.widget.wide",
    {},
    h("div.widget-head", {}, h("span.label", {}, "Image size"), value),
    h("div.side-line", {}, row, own),
    h("p.hint", {}, "A dot marks the prior's resolution, the default. Patches of another size are resampled."),
  );
  let usual = 0;
  return { element, show };

  function write(side) {
    if (Number.isInteger(side) && side > 0) store.exporting({ image_px: side === usual ? 0 : side });
    else show();
  }

  function show() {
    if (usual !== widgets().image_px.shown) build(widgets().image_px.shown);
    const now = store.state.export.image_px || usual;
    for (const button of row.children) button.setAttribute("aria-pressed", String(Number(button.dataset.side) === now));
    const listed = [...row.children].some((one) => Number(one.dataset.side) === now);
    if (document.activeElement !== own || listed) own.value = listed ? "" : now;
    value.textContent = `${now} px`;
  }

  function build(resolution) {
    usual = resolution;
    const sides = [...new Set([...SIDES, usual])].sort((a, b) => a - b);
    row.replaceChildren(
      ...sides.map((one) =>
        h(
          "button",
          {
            type: "button",
            className: one === usual ? "usual" : "",
            data: { side: one },
            title: one === usual ? "the prior's resolution" : "",
            onclick: () => write(one),
          },
          String(one),
        ),
      ),
    );
  }
}

function createChoice(widget, write, now, words) {
  const buttons = widget.choices.map((value) =>
    h(
      "button",
      { type: "button", className: value === widget.default ? "usual" : "", onclick: () => write(value) },
      words[value] ?? String(value),
    ),
  );
  const element = h(
    widget.name === "pixels" ? "div.widget.wide" : "div.widget",
    {},
    h("div.widget-head", {}, h("span.label", {}, widget.label)),
    h("div.segments", { role: "group", "aria-label": `${widget.label} of the export` }, buttons),
    h("p.hint", {}, HELP[widget.name]),
  );
  return {
    element,
    show: () =>
      buttons.forEach((button, n) => button.setAttribute("aria-pressed", String(widget.choices[n] === now()))),
  };
}
