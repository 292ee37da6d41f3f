// What a source contains, before a job is started on it: split, classes with their images, prompts.

import { h } from "../lib/dom.js";
import { count, plural } from "../lib/format.js";

const WAIT_MS = 500;
const SHOWN = 12;
const READING = "Reading the list of files …";

/** @typedef {{ name: string, folder: string, images: number, prompts: string[] }} ClassContents */
/**
 * The response of "source_contents".
 * @typedef {object} Contents
 * @property {string} split
 * @property {ClassContents[]} classes the first ones
 * @property {number} total
 * @property {number} images
 * @property {string} null_prompt
 * @property {string[]} notes
 */

export class SourceContents {
  /**
   * @param {App} app
   * @param {() => Record<string, any> | null} params of the request; null where no source is chosen yet
   * @param {() => void} changed
   */
  constructor(app, params, changed) {
    this.app = app;
    this.params = params;
    this.changed = changed;
    this.key = "";
    /** The key of the last request, unless that failed. */
    this.asked = "";
    /** @type {Contents | null} */
    this.contents = null;
    /** @type {Promise<void>} */
    this.loading = Promise.resolve();
    this.timer = 0;
    this.element = h("section.source-contents", { hidden: true, "aria-label": "What would be scored" });
  }

  /** Show what the form names now, after a pause in typing. */
  update() {
    const params = this.params();
    const key = params ? JSON.stringify(params) : "";
    if (key === this.key) return;
    this.forget(key);
    if (params) this.timer = window.setTimeout(() => this.load(), WAIT_MS);
  }

  /** Show what the form names now; rejects with the reason if the source would be refused. */
  async require() {
    this.update();
    if (!this.key) return;
    window.clearTimeout(this.timer);
    this.load();
    await this.loading;
  }

  /** @param {string} key */
  forget(key) {
    window.clearTimeout(this.timer);
    this.key = key;
    this.contents = null;
    this.asked = "";
    this.element.hidden = true;
    this.element.replaceChildren();
  }

  load() {
    if (this.asked === this.key) return;
    this.asked = this.key;
    this.loading = this.ask(this.key, JSON.parse(this.key));
    this.loading.catch(() => {}); // shown already
  }

  /**
   * @param {string} key
   * @param {Record<string, any>} params
   */
  async ask(key, params) {
    this.show(h("p.soft", {}, READING));
    try {
      const contents = await this.app.ask("source_contents", params, { run: "", view: "" });
      if (key !== this.key) return;
      this.contents = contents;
      this.show(...described(contents));
      this.changed();
    } catch (error) {
      if (key === this.key) {
        this.asked = "";
        this.show(h("p.notice.bad", { role: "alert" }, /** @type {Error} */ (error).message));
      }
      throw error;
    }
  }

  /** @param {HTMLElement[]} children */
  show(...children) {
    this.element.hidden = false;
    this.element.replaceChildren(...children);
  }
}

/** @param {Contents} contents */
function described({ split, classes, total, images, null_prompt: nullPrompt, notes }) {
  const facts = [`${plural(total, "class", "classes")} · ${plural(images, "image")}`];
  if (split) facts.unshift(`Split ${split}`);
  const shown = classes.slice(0, SHOWN).map(classItem);
  if (total > shown.length) shown.push(h("li.soft", {}, `and ${count(total - shown.length)} more`));
  const prompt = classes[0]?.prompts.map((one) => `“${one}”`).join(", ");
  return [
    h("h3", {}, "What would be scored"),
    h("p.facts", {}, facts.join(" · ")),
    h("ul.class-counts", {}, shown),
    h("p.hint", {}, `Prompt of ${classes[0]?.name}: ${prompt} · Null prompt: “${nullPrompt}”`),
    ...notes.map((note) => h("p.hint.note", {}, `Note: ${note}.`)),
  ];
}

/** @param {ClassContents} one */
function classItem({ name, folder, images }) {
  const title = folder && folder !== name ? `Folder ${folder}` : "";
  return h("li", { title }, h("span.class-name", {}, name), " ", h("span.soft", {}, count(images)));
}
