// The images to score: one image, a zip file, a folder of this machine, or toybox scenes.

import { h, uid } from "../lib/dom.js";
import { Dropzone } from "./dropzone.js";
import { createPicturePane } from "./picture_pane.js";
import { createSegments } from "./segments.js";

/** @type {Record<string, string>} */
const LABELS = {
  picture: "One image",
  zip: "Zip of class folders",
  folder: "Folder on this machine",
  toybox: "Toybox scenes",
};
/** @type {Record<string, string[]>} */
const SETTINGS = {
  picture: [],
  zip: ["per_class", "sample_seed", "split", "classes"],
  folder: ["per_class", "sample_seed", "split", "subset", "image_column", "label_column", "classes"],
  toybox: ["per_class", "scene_seed", "classes"],
};
/** The settings that say which images of a source are used, but for their number. */
export const WHICH = ["sample_seed", "split", "subset", "image_column", "label_column", "classes"];
const LAYOUT = "One folder per class, named after the class, with its images inside.";

/** @typedef {{ per_class: number, classes: string[] }} Counted */
/**
 * @typedef {object} Pane
 * @property {HTMLElement} element
 * @property {() => Promise<Record<string, any>>} source uploads the file, if any
 * @property {() => Record<string, any> | null} ready the source without an upload; null where it lacks something
 * @property {(settings: Counted) => number} [images]
 * @property {() => number} [names] how many names the image gets
 * @property {(example: import("./picture_pane.js").Example) => unknown} [take]
 * @property {(names: string[]) => void} [suggest]
 * @property {(names: string[]) => void} [showKnown]
 */
/**
 * @typedef {object} Options the sources that a visitor may name
 * @property {string[]} kinds
 * @property {string} hint why kinds are missing
 * @property {number} upload_bytes
 * @property {string[]} zips
 * @property {string[]} pictures
 * @property {{ classes: string[], per_class: number }} toybox
 * @property {FormField[]} source
 */

export class Sources {
  /**
   * @param {App} app
   * @param {Options} options
   * @param {() => void} changed
   * @param {{ label?: string, labels?: Record<string, string>, eager?: boolean }} [how] eager: zip files are
   *     uploaded as soon as they are chosen
   */
  constructor(app, options, changed, { label = "What to score", labels = LABELS, eager = false } = {}) {
    this.changed = changed;
    this.kinds = Object.keys(LABELS).filter((kind) => options.kinds.includes(kind));
    /** @type {Record<string, () => Pane>} */
    const create = {
      picture: () => createPicturePane(app, options, changed),
      zip: () => createZipPane(app, options, changed, eager),
      folder: () => createFolderPane(changed),
      toybox: () => createToyboxPane(options),
    };
    this.panes = Object.fromEntries(this.kinds.map((kind) => [kind, create[kind]()]));
    this.kind = this.kinds[0];
    const choices = this.kinds.map((kind) => ({ value: kind, label: labels[kind] }));
    this.segments = createSegments(label, choices, (kind) => this.turn(kind));
    this.segments.element.classList.add("kinds");
    const panes = this.kinds.map((kind) => this.panes[kind].element);
    const hint = options.hint ? [h("p.hint", {}, options.hint)] : [];
    this.element = h("div.sources", {}, this.segments.element, panes, hint);
  }

  /** @param {string} kind */
  turn(kind) {
    this.kind = kind;
    this.segments.show(kind);
    for (const one of this.kinds) this.panes[one].element.hidden = one !== kind;
    this.changed();
  }

  /** Return the source settings that apply to the chosen kind. */
  settings() {
    return SETTINGS[this.kind];
  }

  /** Upload what must be uploaded; return the source of the request. */
  async source() {
    return { kind: this.kind, ...(await this.panes[this.kind].source()) };
  }

  /** Return the source of the request if it can be opened now; null where something is missing. */
  ready() {
    const source = this.panes[this.kind].ready();
    return source && { kind: this.kind, ...source };
  }

  /**
   * Return how many images the source has; null where only the app can tell.
   * @param {Counted} settings
   */
  images(settings) {
    return this.panes[this.kind].images?.(settings) ?? null;
  }

  /** Return how many names the source is scored under at once. */
  names() {
    return this.panes[this.kind].names?.() ?? 1;
  }

  /**
   * Take an image of the current run, with names to compare.
   * @param {import("./picture_pane.js").Example} example
   */
  take(example) {
    this.turn("picture");
    return this.panes.picture?.take?.(example);
  }

  /**
   * Compare the class name of one image with those that the prior was trained on, if they are known.
   * @param {string[]} names
   */
  showKnown(names) {
    this.panes.picture?.showKnown?.(names);
  }

  /**
   * Suggest names for the class of one image.
   * @param {string[]} names
   */
  suggestClasses(names) {
    this.panes.picture?.suggest?.(names);
  }
}

/**
 * @param {App} app
 * @param {Options} options
 * @param {() => void} changed
 * @param {boolean} eager
 * @returns {Pane}
 */
function createZipPane(app, { zips: kinds, upload_bytes: most }, changed, eager) {
  const zone = new Dropzone(app, { what: "a zip file", kinds, most, changed, eager });
  return {
    element: h("div.pane", {}, zone.element, h("p.hint", {}, LAYOUT)),
    ready: () => (zone.file && zone.path ? { path: zone.path } : null),
    source: async () => ({ path: await zone.send() }),
  };
}

/**
 * @param {() => void} changed
 * @returns {Pane}
 */
function createFolderPane(changed) {
  const help =
    `The full path. ${LAYOUT} Zip, .npz, Parquet and tar files, folders of these, Hugging Face datasets ` +
    "(hf://user/name) and URLs are read too; nothing is changed there.";
  const { input, field } = createTextField("Folder", help, changed);
  input.placeholder = "/data/images";
  input.spellcheck = false;
  const source = () => ({ path: input.value.trim() });
  return {
    element: h("div.pane", {}, field),
    ready: () => (source().path ? source() : null),
    source: async () => source(),
  };
}

/**
 * @param {Options} options
 * @returns {Pane}
 */
function createToyboxPane({ toybox: { classes, per_class: usual } }) {
  const list = `${classes.length} classes (${classes.join(", ")})`;
  const hint = `Scenes of 128 px that dsel renders: one toy among solids, ${list}.`;
  return {
    element: h("div.pane", {}, h("p.hint", {}, hint)),
    ready: () => ({}),
    source: async () => ({}),
    images: ({ per_class: most, classes: chosen }) => (most || usual) * (chosen.length || classes.length),
  };
}

/**
 * @param {string} label
 * @param {string} help
 * @param {() => void} changed
 */
function createTextField(label, help, changed) {
  const id = uid("source");
  const props = { type: "text", id, autocomplete: "off", "aria-describedby": `${id}-help` };
  const input = h("input", { ...props, oninput: changed });
  const hint = h("p.hint", { id: `${id}-help` }, help);
  const head = h("div.widget-head", {}, h("label", { htmlFor: id }, label));
  return { input, field: h("div.field.widget", {}, head, input, hint) };
}
