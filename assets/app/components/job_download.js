// The file that a job wrote: its link, and saving it as soon as it is there.

import { h, icon } from "../lib/dom.js";
import { bytes } from "../lib/format.js";
import { ICONS } from "../lib/icons.js";
import { isActive } from "../lib/jobs.js";

/**
 * Return the link of a finished job to its file; nothing for a job without one.
 * @param {App} app
 * @param {Report} report
 */
export function downloadLink({ base }, { download }) {
  if (!download) return [];
  const props = { href: `${base}${download.path}`, download: download.name };
  const text = `Download ${download.name} (${bytes(download.bytes)})`;
  return [h("a.primary", props, icon(ICONS.download), text)];
}

/**
 * Watch a job that was just started, and let the browser save its file at the end.
 * @param {App} app
 * @param {string} kind
 * @param {string} token
 */
export function saveWhenDone(app, kind, token, more = {}) {
  const stop = app.jobs.subscribe(() => {
    const report = app.jobs.of(kind).find((one) => one.token === token)?.report;
    if (!report || isActive(report)) return;
    stop();
    for (const link of downloadLink(app, report)) {
      link.hidden = true;
      document.body.append(link);
      link.click();
      link.remove();
    }
  });
  return app.jobs.add(kind, token, more, true);
}
