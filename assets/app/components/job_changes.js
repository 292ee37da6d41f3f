// What a visitor may do with a job that has ended: rename it, or delete it with its files.

import { h } from "../lib/dom.js";
import { bytes } from "../lib/format.js";

export const HIDE_HELP = "Hide it from this list; its files stay, and links to it still work";
export const DELETE_HELP = "Delete it with its files, after a question";

/** @type {Record<string, string>} */
const FILES = {
  score: "its run: scores, images and everything computed from them",
  export: "its zip file",
  evaluate: "its copies of held-out images, and the evaluation itself unless the run stores it",
  advise: "its copies of images; what the run has stored stays there",
};

/**
 * Create the button that takes a job out of this browser's list.
 * @param {App} app
 * @param {Report} report
 */
export function hideButton(app, { token, title }) {
  const props = { type: "button", "aria-label": `Hide ${title}`, title: HIDE_HELP };
  return h("button.quiet", { ...props, onclick: () => app.jobs.forget(token) }, "Hide");
}

/**
 * Create the button that deletes a job.
 * @param {App} app
 * @param {Report} report
 */
export function deleteButton(app, report) {
  const props = { type: "button", "aria-label": `Delete ${report.title}`, title: DELETE_HELP };
  return h("button.quiet.danger", { ...props, onclick: () => deleteJob(app, report) }, "Delete …");
}

/**
 * Ask for another name of a job.
 * @param {App} app
 * @param {Report} report
 */
export function renameJob(app, { token, title }) {
  const input = h("input", { type: "text", value: title, maxLength: 200, "aria-label": "Name", autocomplete: "off" });
  const save = h("button.primary", { type: "submit" }, "Rename");
  const form = h("form.job-change", { noValidate: true }, input, h("div.bar-line", {}, save));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (!input.value.trim()) {
      input.focus();
      return;
    }
    dialog.close();
    await app.jobs.rename(token, input.value);
  });
  const dialog = app.dialog(`Rename ${title}`, form);
  input.select();
}

/**
 * Delete a job with its files, once that is confirmed.
 * @param {App} app
 * @param {Report} report
 */
export function deleteJob(app, { token, title, kind, bytes: size }) {
  const what = FILES[kind] ?? "its files";
  const many = size ? ` (${bytes(size)})` : "";
  const text = `This deletes ${what}${many}. It cannot be undone, and links to it stop working.`;
  const remove = h("button.primary.danger", { type: "button" }, "Delete");
  const keep = h("button.button", { type: "button" }, "Keep it");
  const dialog = app.dialog(
    `Delete ${title}?`,
    h("div.job-change", {}, h("p", {}, text), h("div.bar-line", {}, keep, remove)),
  );
  keep.addEventListener("click", () => dialog.close());
  remove.addEventListener("click", async () => {
    dialog.close();
    await app.jobs.remove(token);
  });
  keep.focus();
}
