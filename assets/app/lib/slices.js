// Named slices: stored in the run where the visitor may write to it, else in this browser.

import { recall, remember } from "./storage.js";

const KEY = "dsel-slices";

/** @typedef {import("./selection.js").Groups} Groups */
/** @typedef {{ name: string, count: number, isShared: boolean }} SliceFacts `isShared` ones are stored in the run */

/** The slices of the page's run. */
export class Slices {
  /** @param {Pick<App, "ask" | "start">} app */
  constructor(app) {
    this.app = app;
  }

  /** What tells the run from others, in this browser. */
  get run() {
    const { dataset, prior, scored } = this.app.start.run;
    return [dataset, prior, scored].join(" · ");
  }

  /**
   * List the slices by name; one in the run hides one of the same name in the browser.
   * @returns {Promise<{ slices: SliceFacts[], isWritable: boolean }>}
   */
  async list() {
    const { slices, writable } = await this.app.ask("slices");
    const shared = slices.map((/** @type {any} */ one) => ({ ...one, isShared: true }));
    const names = new Set(shared.map((/** @type {SliceFacts} */ one) => one.name));
    const own = Object.entries(this.stored()).filter(([name]) => !names.has(name));
    const private_ = own.map(([name, groups]) => ({
      name,
      count: Object.values(groups).flat().length,
      isShared: false,
    }));
    const all = [...shared, ...private_].sort((a, b) => a.name.localeCompare(b.name));
    return { slices: all, isWritable: writable };
  }

  /**
   * Read a slice, from the run if it has one of that name.
   * @param {string} name
   * @returns {Promise<Groups>}
   */
  async read(name) {
    const { slices } = await this.list();
    const found = slices.find((one) => one.name === name);
    if (!found) throw new Error(`Neither this run nor this browser has a slice named ${name}.`);
    return found.isShared ? (await this.app.ask("slice", { name })).groups : this.stored()[name];
  }

  /**
   * Keep images under a name, in place of those that had it.
   * @param {string} name
   * @param {Groups} groups
   * @param {boolean} isShared
   */
  async save(name, groups, isShared) {
    if (isShared) await this.app.ask("slice_save", { name, ids: Object.values(groups).flat() });
    else this.store({ ...this.stored(), [name]: groups });
  }

  /** @param {SliceFacts} slice */
  async remove({ name, isShared }) {
    if (isShared) {
      await this.app.ask("slice_delete", { name });
      return;
    }
    const { [name]: _, ...others } = this.stored();
    this.store(others);
  }

  /** @returns {Record<string, Groups>} */
  stored() {
    return everything()[this.run] ?? {};
  }

  /** @param {Record<string, Groups>} slices */
  store(slices) {
    remember(KEY, JSON.stringify({ ...everything(), [this.run]: slices }));
  }
}

/** @returns {Record<string, Record<string, Groups>>} */
function everything() {
  try {
    return JSON.parse(recall(KEY) ?? "{}");
  } catch {
    return {}; // what somebody else stored under this key
  }
}
