// The workers of a score job: how far each is, and the shards that failed for good.

import { fill, h } from "../lib/dom.js";
import { count, number, plural } from "../lib/format.js";
import { createTable } from "./dialog.js";

/** Create the part of a job's card; `show(report)` keeps it up to date, and hides it where one process works alone. */
export function createWorkers() {
  const summary = h("summary");
  const table = h("div.table-scroll");
  const element = h("details.job-workers", { hidden: true }, summary, table);
  let shown = "";
  return {
    element,
    /** @param {Report} report */
    show({ workers, failed }) {
      const key = JSON.stringify([workers, failed]);
      if (key === shown) return;
      shown = key;
      element.hidden = workers.length < 2 && !failed.length;
      const parts = [workers.length && plural(workers.length, "worker"), failed.length && failedText(failed.length)];
      summary.textContent = parts.filter(Boolean).join(" · ");
      fill(table, workers.length > 0 && workerTable(workers), failed.length > 0 && failedTable(failed));
    },
  };
}

/** @param {number} shards */
function failedText(shards) {
  return `${plural(shards, "shard")} failed`;
}

/** @param {Report["workers"]} workers */
function workerTable(workers) {
  const rows = workers.map(({ device, shard, done, total, rate }) => {
    const what = shard < 0 ? "between shards" : `shard ${shard}: ${count(done)} of ${count(total)}`;
    const pace = rate > 0 ? `${number(rate)} images/s` : "";
    return h("tr", {}, h("th", { scope: "row" }, device), h("td", {}, what), h("td", {}, pace));
  });
  return createTable(["Worker on", "Doing", "Rate"], rows);
}

/** @param {Report["failed"]} failed */
function failedTable(failed) {
  const rows = failed.map(({ shard, tries, reason }) =>
    h("tr", {}, h("th", { scope: "row" }, String(shard)), h("td", {}, String(tries)), h("td", {}, reason)),
  );
  return createTable(["Failed shard", "Tries", "Reason"], rows);
}
