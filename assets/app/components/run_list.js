// The runs that can be looked at: the one that the app was opened on, and those that jobs made.

import { fill, h, plural } from "../lib/dom.js";
import { showSkips } from "./job_card.js";

/** The list; `show()` follows the jobs and the run that is open. */
export function createRuns(app) {
  const own = { first: null, key: "" };
  const list = h("ul.runs");
  const element = h("section.runs-part", { "aria-label": "Runs" }, h("h2", {}, "Runs"), list);
  return { element, show, learn };

  /** The facts of the first run, which are not known where a link opened another one. */
  async function learn() {
    if (!app.store.state.run) own.first = app.start;
    own.first ??= await app.ask("start", { run: "", view: "" }).catch(() => null);
    show();
  }

  function show() {
    const now = app.store.state.run;
    const done = app.jobs.of("score").filter((one) => one.report.state === "done");
    const key = JSON.stringify([now, Boolean(own.first), done.map((one) => one.token)]);
    if (key === own.key) return;
    own.key = key;
    const linked = now && !done.some((one) => one.token === now);
    fill(
      list,
      own.first && firstRow(now),
      done.map((one) => jobRow(one, now)),
      linked &&
        row({
          name: app.start.run.dataset,
          facts: `${plural(app.start.run.scored, "image")} · opened by a link`,
          token: now,
          now,
        }),
    );
  }

  function firstRow(now) {
    const { run, classes } = own.first;
    return row({
      name: run.dataset,
      facts: `${plural(run.scored, "image")} · ${plural(classes.length, "class", "classes")} · ${run.prior} · what the app was opened on`,
      token: "",
      now,
    });
  }

  function jobRow({ token, report }, now) {
    const { images, skipped } = report.figures;
    const skips =
      report.skipped > 0 &&
      h(
        "button.link",
        { type: "button", onclick: () => showSkips(app, report) },
        `${skipped ?? report.skipped} skipped`,
      );
    const notices =
      report.notices.length > 0 &&
      h(
        "button.link",
        {
          type: "button",
          onclick: () =>
            app.dialog(
              `Notices of ${report.title}`,
              h(
                "ul.help-list",
                {},
                report.notices.map((text) => h("li", {}, text)),
              ),
            ),
        },
        plural(report.notices.length, "notice"),
      );
    const forget = h(
      "button.quiet",
      {
        type: "button",
        "aria-label": `Forget ${report.title}`,
        title: "Take it off this list",
        onclick: () => app.jobs.forget(token),
      },
      "Forget",
    );
    return row({
      name: report.title,
      facts: `${plural(images ?? 0, "image")} · ${when(report.finished)}`,
      token,
      now,
      more: [skips, notices],
      forget: token !== now && forget,
    });
  }

  function row({ name, facts, token, now, more = [], forget = false }) {
    const here = token === now;
    const open = h(
      "button.button",
      {
        type: "button",
        disabled: here,
        "aria-label": `Open ${name}`,
        onclick: () => app.attempt(() => app.openRun(token)),
      },
      here ? "Shown now" : "Open this run",
    );
    return h(
      "li.run-row",
      { "aria-current": here ? "true" : null, data: { token } },
      h(
        "div.run-words",
        {},
        h("h3", { title: name }, name),
        h(
          "p.soft",
          {},
          facts,
          more.filter(Boolean).map((one) => [" · ", one]),
        ),
      ),
      forget,
      open,
    );
  }
}

function when(seconds) {
  if (!seconds) return "";
  const date = new Date(seconds * 1000);
  const today = date.toDateString() === new Date().toDateString();
  return `scored ${today ? "at" : "on"} ${date.toLocaleString("en-GB", today ? { hour: "2-digit", minute: "2-digit" } : { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" })}`;
}
