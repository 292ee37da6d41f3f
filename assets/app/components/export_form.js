// The settings of an export: formats, image size, mosaics, file format, and the source of the pixels.

import { h, uid } from "../lib/dom.js";
import { wholeOf } from "../lib/numbers.js";
import { createFormats } from "./export_formats.js";
import { createSegments } from "./segments.js";

const SIDES = [32, 64, 128, 224, 256, 512];
const LARGEST = 8192;
const JPEG_LAYOUTS = ["rded", "sre2l"];
const SIDE_HINT = "A dot marks the prior's resolution, the default. Cuts of another size are resampled.";

/**
 * Create the widgets, which write into the store; `show()` updates them.
 * @param {App} app
 */
export function createExportForm(app) {
  const { store } = app;
  /** @param {string} name */
  const widgetOf = (name) => {
    const { select, export: written } = app.start.widgets;
    return /** @type {Widget} */ ([...written, ...select].find((one) => one.name === name));
  };
  /** @param {string} name */
  const exportChoice = (name) =>
    createChoice(
      widgetOf(name),
      (value) => store.exporting({ [name]: value }),
      () => store.state.export[name],
    );
  const side = new SideField(store, () => widgetOf("image_px"));
  const factor = createChoice(
    widgetOf("factor"),
    (value) => store.select({ factor: value }),
    () => store.state.select.factor,
  );
  const formats = createFormats(store, widgetOf("format"));
  const quality = createQuality(store, widgetOf("quality"));
  const parts = [formats, side, factor, exportChoice("file_format"), quality, exportChoice("pixels")];
  return {
    element: h(
      "div.format",
      {},
      parts.map((one) => one.element),
    ),
    show() {
      for (const one of parts) one.show();
    },
  };
}

/** Common image sizes, any other by its number, and the prior's own resolution as the default. */
class SideField {
  /**
   * @param {Store} store
   * @param {() => Widget} widget
   */
  constructor(store, widget) {
    this.store = store;
    this.widget = widget;
    this.usual = 0;
    // Not type=number: browsers drop a comma there, so that 12,8 would be 128.
    const props = { type: "text", inputMode: "numeric", id: uid("side"), autocomplete: "off", placeholder: "other" };
    this.input = h("input", { ...props, "aria-label": "Another image size in px" });
    this.input.addEventListener("change", () => this.write(wholeOf(this.input.value) ?? 0));
    this.row = h("div.side-line", {});
    this.value = h("output.value", { title: "Side of the distilled images, in pixels." });
    /** @type {ReturnType<typeof createSegments> | null} */
    this.segments = null;
    /** @type {number[]} */
    this.sides = [];
    const head = h("div.widget-head", {}, h("span.label", {}, widget().label), this.value);
    this.element = h("div.widget.wide", {}, head, this.row, h("p.hint", {}, SIDE_HINT));
  }

  /** @param {number} side */
  write(side) {
    if (side > 0 && side <= LARGEST) this.store.exporting({ image_px: side === this.usual ? 0 : side });
    else {
      this.input.value = "";
      this.show();
    }
  }

  show() {
    const { shown } = this.widget();
    if (shown !== this.usual) this.build(shown);
    const current = this.store.state.export.image_px || this.usual;
    this.segments?.show(current);
    const isListed = this.sides.includes(current);
    if (document.activeElement !== this.input || isListed) this.input.value = isListed ? "" : String(current);
    this.value.textContent = `${current} px`;
  }

  /** @param {number} resolution */
  build(resolution) {
    this.usual = resolution;
    this.sides = [...new Set([...SIDES, resolution])].sort((a, b) => a - b);
    const options = this.sides.map((side) => {
      const isUsual = side === resolution;
      const props = { className: isUsual ? "usual" : "", title: isUsual ? "the prior's resolution" : "" };
      return { value: side, label: String(side), props };
    });
    this.segments = createSegments("Image size in px", options, (side) => this.write(side));
    this.row.replaceChildren(this.segments.element, this.input);
  }
}

/**
 * Create the quality, which is shown where a file format has one.
 * @param {Store} store
 * @param {Widget} widget
 */
function createQuality(store, { label, help, low, high }) {
  const props = { type: "text", inputMode: "numeric", id: uid("quality"), autocomplete: "off" };
  const input = h("input", { ...props, "aria-label": `${label} of the images` });
  input.addEventListener("change", () => {
    const value = wholeOf(input.value);
    if (value != null && value >= Number(low) && value <= Number(high)) store.exporting({ quality: value });
    else input.value = String(store.state.export.quality);
  });
  const head = h("div.widget-head", {}, h("label.label", { htmlFor: input.id }, label), input);
  const hint = h("p.hint", {}, `${help.charAt(0).toUpperCase()}${help.slice(1)}.`);
  const element = h("div.widget.wide.quality", {}, head, hint);
  return { element, show };

  function show() {
    const { format, file_format: kind, quality } = store.state.export;
    element.hidden = kind === "png" && !format.some((one) => JPEG_LAYOUTS.includes(one));
    if (document.activeElement !== input) input.value = String(quality);
  }
}

/**
 * @param {Widget} widget
 * @param {(value: any) => void} write
 * @param {() => any} read
 */
function createChoice({ name, label, help, choices, default: usual }, write, read) {
  const options = choices.map((one) => ({ ...one, props: { className: one.value === usual ? "usual" : "" } }));
  const segments = createSegments(`${label} of the export`, options, write);
  const head = h("div.widget-head", {}, h("span.label", {}, label));
  const hint = h("p.hint", {}, `${help.charAt(0).toUpperCase()}${help.slice(1)}.`);
  const kind = name === "pixels" ? "div.widget.wide" : "div.widget";
  return { element: h(kind, {}, head, segments.element, hint), show: () => segments.show(read()) };
}
