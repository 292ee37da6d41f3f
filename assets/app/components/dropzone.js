// A zone to drop a file on or to choose one with, and the upload of that file.

import { h } from "../lib/dom.js";
import { bytes, percent } from "../lib/format.js";
import { isOfApp, tokenHeaders } from "../lib/rpc.js";

/**
 * @typedef {object} Options
 * @property {string} what is dropped, such as "an image"
 * @property {string[]} kinds suffixes
 * @property {number} most the largest file in bytes
 * @property {boolean} [preview]
 * @property {boolean} [eager] uploads a file as soon as it is chosen
 * @property {() => void} changed
 */

/** Formats that browsers do not show, though dsel reads them. */
const UNSHOWN = /\.tiff?$/i;

export class Dropzone {
  /**
   * @param {App} app
   * @param {Options} options
   */
  constructor(app, options) {
    this.app = app;
    this.options = options;
    /** @type {File | null} */
    this.file = null;
    this.path = "";
    this.url = "";
    /** @type {XMLHttpRequest | null} */
    this.request = null;
    /** @type {{ file: File, path: Promise<string> } | null} */
    this.sending = null;
    const { kinds } = options;
    const label = labelOf(options);
    this.input = h("input.zone-input", { type: "file", accept: kinds.join(","), "aria-label": label });
    this.image = h("img", { alt: "", hidden: true });
    this.title = h("span.zone-title", {}, label);
    this.note = h("span.soft", {}, this.invitation());
    const text = h("span.zone-text", {}, this.title, this.note);
    this.zone = h("label.zone", {}, this.input, this.image, text);
    this.bar = h("progress", { max: 1, "aria-label": "Upload" });
    this.status = h("span.soft");
    const stop = h("button.quiet", { type: "button", onclick: () => this.request?.abort() }, "Stop the upload");
    this.progress = h("div.upload", { hidden: true }, this.bar, h("p.job-line", {}, this.status, stop));
    this.problem = h("p.notice.bad", { hidden: true, role: "alert" });
    this.element = h("div.dropping", {}, this.zone, this.problem, this.progress);
    this.listen();
  }

  invitation() {
    return `or click to choose one · files up to ${bytes(this.options.most)}`;
  }

  listen() {
    const { zone, input, image } = this;
    input.addEventListener("change", () => this.take(input.files?.[0]));
    image.addEventListener("error", () => {
      image.hidden = true;
      if (this.file && !UNSHOWN.test(this.file.name)) this.warn(`${this.file.name} cannot be read as an image.`);
    });
    /**
     * @param {DragEvent} event
     * @param {boolean} over
     */
    const highlight = (event, over) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      zone.classList.toggle("over", over);
    };
    zone.addEventListener("dragenter", (event) => highlight(event, true));
    zone.addEventListener("dragover", (event) => highlight(event, true));
    zone.addEventListener("dragleave", (event) => highlight(event, false));
    zone.addEventListener("drop", (event) => {
      highlight(event, false);
      this.take(event.dataTransfer?.files[0]);
    });
  }

  /** @param {string} text */
  warn(text) {
    this.problem.hidden = !text;
    this.problem.textContent = text;
  }

  /** @param {File | undefined} file */
  take(file) {
    if (!file) return;
    const { preview, changed } = this.options;
    const wrong = problemOf(file, this.options);
    this.warn(wrong);
    URL.revokeObjectURL(this.url);
    this.request?.abort();
    this.file = wrong ? null : file;
    this.path = "";
    this.url = preview && !wrong ? URL.createObjectURL(file) : "";
    this.image.hidden = !this.url;
    if (this.url) this.image.src = this.url;
    this.title.textContent = wrong ? labelOf(this.options) : file.name;
    this.title.title = wrong ? "" : file.name;
    this.note.textContent = wrong ? this.invitation() : `${bytes(file.size)} · drop or choose another`;
    this.zone.classList.toggle("full", !wrong);
    changed();
    if (this.options.eager && !wrong) this.sendEarly(file);
  }

  /**
   * Upload a file before it is asked for; a failure is shown here, and the next try is that of the form.
   * @param {File} file
   */
  async sendEarly(file) {
    try {
      await this.send();
      this.options.changed();
    } catch (error) {
      if (this.file !== file) return;
      this.warn(/** @type {Error} */ (error).message);
    }
  }

  /** Upload the file unless that is done; return its path in the app. */
  async send() {
    const { file } = this;
    if (!file) throw new Error(`Choose ${this.options.what} first.`);
    if (this.path) return this.path;
    if (this.sending?.file !== file) this.sending = { file, path: this.upload(file) };
    const { sending } = this;
    const path = await sending.path.finally(() => {
      if (this.sending === sending) this.sending = null;
    });
    if (this.file !== file) throw new Error("Another file was chosen during the upload: press the button again.");
    this.path = path;
    return path;
  }

  /**
   * @param {File} file
   * @returns {Promise<string>}
   */
  upload(file) {
    this.progress.hidden = false;
    this.showProgress(0);
    const request = new XMLHttpRequest();
    this.request = request;
    return new Promise((resolve, reject) => {
      /** @param {string} text */
      const fail = (text) => reject(new Error(text));
      request.upload.onprogress = (event) => event.lengthComputable && this.showProgress(event.loaded / event.total);
      request.onabort = () => fail("The upload was stopped.");
      request.onerror = () => fail("The upload failed. Is the app still running?");
      request.onload = () => {
        if (request.status === 200) resolve(request.responseText);
        else if (isOfApp(request.status, request.getResponseHeader("content-type"))) fail(request.responseText);
        else fail(`The upload failed (HTTP ${request.status}). Is the app still running?`);
      };
      request.open("POST", `${this.app.base}upload?name=${encodeURIComponent(file.name)}`);
      const headers = { "Content-Type": "application/octet-stream", ...tokenHeaders() };
      for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
      request.send(file);
    }).finally(() => {
      this.progress.hidden = true;
      this.request = null;
    });
  }

  /** @param {number} share */
  showProgress(share) {
    this.bar.value = share;
    this.status.textContent = share < 1 ? `Uploading · ${percent(share, 2)}` : "Uploaded, now being stored …";
  }
}

/** @param {Options} options */
function labelOf({ what }) {
  return `Drop ${what} here`;
}

/**
 * Return why a file cannot be taken; empty where it can.
 * @param {File} file
 * @param {Options} options
 */
function problemOf({ name, size }, { kinds, most }) {
  if (!kinds.some((kind) => name.toLowerCase().endsWith(kind))) return `${name} is none of ${kinds.join(", ")}.`;
  if (!size) return `${name} is empty.`;
  return size > most ? `${name} has ${bytes(size)}; at most ${bytes(most)} can be uploaded here.` : "";
}
