// The images that are selected to act on together, of any classes: from a lasso, a cluster, a search or a filter.

import { Slices } from "./slices.js";

/** Up to so many ids are in the link; a larger selection is in it by the name of its slice. */
export const MOST_IN_LINK = 50;

/**
 * Groups are the ids of the selected images by class name, in the order in which they were selected.
 * @typedef {Record<string, string[]>} Groups
 */

/** The selection of a page. It is in the store's view as `ids` if it is short, and as `slice` if it has a name. */
export class Selection {
  /** @param {Store} store */
  constructor(store) {
    this.store = store;
    /** The selected ids by class; never changed in place. @type {Groups} */
    this.groups = {};
    /** What was selected, such as "cluster 3 of cactus"; empty where nobody said. */
    this.label = "";
    this.wantsGallery = false;
    /** @type {Set<() => void>} */
    this.listeners = new Set();
    store.subscribe((change) => change.has("run") && this.forget());
  }

  /** All selected ids. */
  get ids() {
    return Object.values(this.groups).flat();
  }

  get count() {
    return Object.values(this.groups).reduce((sum, ids) => sum + ids.length, 0);
  }

  /** The name of the slice that this is, empty for one without a name. */
  get slice() {
    return this.store.state.slice ?? "";
  }

  /** Whether the gallery shows the selected images only. */
  get inGallery() {
    return this.wantsGallery && this.count > 0;
  }

  /**
   * Return the selected images of a class.
   * @param {string} className
   */
  of(className) {
    return this.groups[className] ?? [];
  }

  /**
   * Select images in place of those that were.
   * @param {Groups} groups
   * @param {string} [label] what they are, in a few words
   * @param {string} [slice] the name of the slice that they are
   */
  set(groups, label = "", slice = "") {
    this.groups = Object.fromEntries(Object.entries(groups).filter(([, ids]) => ids.length));
    this.label = label;
    this.wantsGallery &&= this.count > 0;
    const ids = slice || this.count > MOST_IN_LINK ? [] : this.ids;
    this.store.go({ slice, ids });
    this.tell();
  }

  clear() {
    const { slice, ids } = this.store.state;
    if (this.count || slice || ids?.length) this.set({});
  }

  /** Forget the selection of another run; what the link of this one names is restored by `restoreSelection`. */
  forget() {
    this.groups = {};
    this.label = "";
    this.wantsGallery = false;
    this.tell();
  }

  /** @param {boolean} shown */
  showInGallery(shown) {
    this.wantsGallery = shown;
    this.tell();
  }

  /**
   * Call a function when the selection changes; return what stops that.
   * @param {() => void} listener
   */
  subscribe(listener) {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  tell() {
    for (const listener of [...this.listeners]) listener();
  }
}

/**
 * Group ids by their classes.
 * @param {Iterable<{ id: string, class_name: string }>} images
 * @returns {Groups}
 */
export function grouped(images) {
  /** @type {Groups} */
  const groups = {};
  for (const { id, class_name: name } of images) {
    groups[name] ??= [];
    groups[name].push(id);
  }
  return groups;
}

/**
 * Select what the link of the view names.
 * @param {App} app
 */
export async function restoreSelection(app) {
  const { store, selection, ask } = app;
  const { ids, slice, run } = store.state;
  if (!ids?.length && !slice) return;
  try {
    const groups = slice ? await new Slices(app).read(slice) : (await ask("classes_of", { ids })).groups;
    if (store.state.run === run) selection.set(groups, slice ? "" : "from the link", slice);
  } catch (error) {
    if (store.state.run === run) store.go({ slice: "", ids: [] }, true);
    throw error;
  }
}
