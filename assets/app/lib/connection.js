// What the page does while the app does not answer: it says so, keeps trying, and continues where it was.

import { h, write } from "./dom.js";
import { recall } from "./storage.js";

const RETRY_MS = 2000;
const LOST = "The app does not answer. The page keeps trying; your settings stay.";
const ASLEEP =
  "The app is asleep or starting: something else answers in its place. The page keeps trying; your settings stay. " +
  "If it takes minutes, reload the page: a visit wakes a Space.";
const BACK = "The app answers again.";
const OTHER_TOKEN =
  "The app was started again. Open the address that it printed to be its owner in this page again; until then it " +
  "treats you as a visitor.";

/**
 * Create the connection; `lost(status)` is called when a request gets no answer, or one of a proxy with that status.
 * @returns {{ lost(status: number): void, follow(app: App, element: HTMLElement, retry: () => void): void }}
 */
export function createConnection() {
  let isLost = false;
  /** @type {{ app: App, element: HTMLElement, retry: () => void } | null} */
  let page = null;
  return {
    lost(status) {
      if (!page) return;
      write(page.element, status ? ASLEEP : LOST);
      page.element.hidden = false;
      if (isLost) return;
      isLost = true;
      setTimeout(tryAgain, RETRY_MS);
    },
    follow(app, element, retry) {
      page = { app, element, retry };
    },
  };

  async function tryAgain() {
    if (!page) return;
    const { app, element, retry } = page;
    try {
      const { trusted, was_trusted: was } = await ask(app);
      isLost = false;
      element.hidden = true;
      app.toast(was && !trusted ? OTHER_TOKEN : BACK, was && !trusted ? "error" : "note");
      retry();
      app.jobs.poll();
    } catch {
      setTimeout(tryAgain, RETRY_MS);
    }
  }
}

/** @param {App} app */
async function ask(app) {
  const { trusted } = await app.ask("ping", {}, { run: "", view: "" });
  return { trusted, was_trusted: Boolean(recall("dsel-token")) };
}

/** Create the line that says that the app does not answer. */
export function createLostLine() {
  return h("p.lost", { role: "status", hidden: true }, LOST);
}
