// The page: its frame, its tabs, its keys. Each tab has a module of its own in tabs/.

import { createActionsBar } from "./components/actions_bar.js";
import { openDialog } from "./components/dialog.js";
import { createHeader } from "./components/header.js";
import { mountHelp } from "./components/help.js";
import { createIntro } from "./components/intro.js";
import { createKnowledgeBanner } from "./components/knowledge_banner.js";
import { mountSidebar } from "./components/sidebar.js";
import { copyText, createToasts, showToast } from "./components/toasts.js";
import { createColors } from "./lib/colors.js";
import { createConnection, createLostLine } from "./lib/connection.js";
import { applyDensity } from "./lib/density.js";
import { fill, h } from "./lib/dom.js";
import { followHistory } from "./lib/history.js";
import { whenIdle } from "./lib/idle.js";
import { createImages } from "./lib/images.js";
import { JobList } from "./lib/jobs.js";
import { listenToKeys } from "./lib/keys.js";
import { readSearch, writeSearch } from "./lib/links.js";
import { createAsk, createLatest, createServer, takeToken } from "./lib/rpc.js";
import { restoreSelection, Selection } from "./lib/selection.js";
import { createStore } from "./lib/store.js";
import { LABELS, TABS, TabPanels } from "./lib/tabs.js";
import { applyTheme } from "./lib/theme.js";

const IDLE_MS = 8000;

let entered = 0; // runs that were opened, or are being opened

/** @typedef {ReturnType<typeof createConnection>} Connection */
/**
 * @typedef {{
 *   place: { run: string, view: string }, ask: Ask, connection: Connection, start?: Start, problem: string,
 * }} Opened
 */

/**
 * Ask for the view of the link; `base` is the address of the routes.
 * @param {string} base
 * @returns {Promise<Opened>}
 */
export async function open(base) {
  takeToken();
  const place = readSearch(location.search);
  const connection = createConnection();
  const ask = createAsk(createServer(base, connection.lost), () => place);
  return { place, ask, connection, ...(await openView(ask, place, place.view)) };
}

/**
 * Fill the `.dsel` of an element with the page, until its first tab is shown.
 * @param {{ element: HTMLElement, base: string, opened: Promise<Opened> }} gradio
 */
export async function boot({ element, base, opened }) {
  const files = { app: `${base}app`, plotly: `${base}plotly.min.js` };
  const root = /** @type {HTMLElement} */ (element.querySelector(".dsel"));
  applyTheme();
  applyDensity(root);
  const { place, ask, connection, start, problem } = await opened;
  if (!start) {
    showFailure(root, problem);
    return;
  }
  const store = createStore(start, place.run);
  Object.defineProperty(place, "run", { get: () => store.state.run });
  Object.defineProperty(place, "view", { get: () => store.query() });
  const app = createApp({ root, store, ask, files, base, start });
  correctView(app);
  const shown = build(app, connection);
  app.jobs.poll();
  app.attempt(() => restoreSelection(app));
  showNotes(app, [problem, ...start.notes]);
  root.removeAttribute("aria-busy");
  await shown;
  prefetchPlotly(app);
}

/**
 * Open the view of a link, or what the run can show of it; where the run is not available, the app's first run.
 * @param {Ask} ask
 * @param {{ run: string, view: string }} place
 * @param {string} link
 * @returns {Promise<{ start?: Start, problem: string }>}
 */
async function openView(ask, place, link) {
  let problem = "";
  place.view = "";
  for (const run of new Set([place.run, ""])) {
    place.run = run;
    try {
      return { start: await ask("start", { link }), problem };
    } catch (error) {
      problem ||= /** @type {Error} */ (error).message;
    }
  }
  return { problem };
}

/**
 * Say what of a link could not be shown.
 * @param {App} app
 * @param {string[]} notes
 */
function showNotes(app, notes) {
  for (const note of notes.filter(Boolean)) app.toast(note, "error");
}

/**
 * @param {HTMLElement} root
 * @param {string} problem
 */
function showFailure(root, problem) {
  root.removeAttribute("aria-busy");
  const retry = h("button.primary", { type: "button", onclick: () => location.reload() }, "Try again");
  fill(root, h("div.failed", {}, h("h1", {}, "dsel could not open"), h("p", {}, problem), retry));
}

/**
 * Create what every part of the page gets.
 * @param {Pick<App, "root" | "store" | "ask" | "files" | "base" | "start">} parts
 * @returns {App}
 */
function createApp(parts) {
  const { root, store, ask, start } = parts;
  const toasts = createToasts();
  /** @type {App} */
  const app = {
    ...parts,
    toasts,
    latest: createLatest(),
    images: createImages(ask),
    colors: createColors(start.colours),
    keys: new Map(),
    jobs: /** @type {any} */ (null),
    selection: new Selection(store),
    /** The current class as "start" describes it. */
    class: () => app.start.classes.find((one) => one.name === store.state.class_name) ?? app.start.classes[0],
    toast: (text, kind = "note") => showToast(toasts, text, kind),
    dialog: (title, ...children) => openDialog(root, title, children),
    /** Do something that may fail, and show its error in a toast. */
    attempt: async (work) => {
      try {
        return await work();
      } catch (error) {
        app.toast(/** @type {Error} */ (error).message, "error");
        return undefined;
      }
    },
    copy: (text, what) => copyText(app, text, what),
    /** The link that opens the current view. */
    link: () => `${location.origin}${location.pathname}${writeSearch(store, location.search)}`,
    openRun: (token, view = {}) => openRun(app, token, view),
  };
  app.jobs = new JobList(app);
  return app;
}

/**
 * Show the first class unless the link names one, and Inspect unless it names a tab that exists.
 * @param {App} app
 */
function correctView({ start, store, toast }) {
  const { class_name: name, tab } = store.state;
  if (!name) store.go({ class_name: start.classes[0].name });
  if (TABS.includes(tab)) return;
  if (tab) toast(`There is no tab ${tab}: Inspect is shown. Tabs are ${TABS.join(", ")}.`, "error");
  store.go({ tab: "inspect" });
}

/**
 * Build the page; the promise is that of its first tab.
 * @param {App} app
 * @param {ReturnType<typeof createConnection>} connection
 */
function build(app, connection) {
  const { root, store } = app;
  const side = h("aside.side", { "aria-label": "Settings" });
  const panels = Object.fromEntries(TABS.map((id) => [id, createPanel(id)]));
  const tabs = new TabPanels(app, panels);
  const header = createHeader(app, () => tabs.show(new Set()));
  const intro = createIntro(app);
  const knowledge = createKnowledgeBanner(app);
  // Gradio's page is the one main element.
  const lost = createLostLine();
  connection.follow(app, lost, () => tabs.show(new Set()));
  const parts = [lost, knowledge.element, ...Object.values(panels), createActionsBar(app).element];
  const stage = h("div.stage", { id: "dsel-stage", tabIndex: -1 }, parts);
  fill(root, createSkipLink(stage), header.element, intro.element, h("div.body", {}, side, stage), app.toasts);
  let showSidebar = mountSidebar(side, app);
  header.showRun();
  header.show();
  intro.show();
  knowledge.show();
  store.subscribe((change) => {
    if (change.has("run")) {
      showSidebar = mountSidebar(side, app);
      header.showRun();
    }
    showSidebar();
    header.show();
    intro.show();
    knowledge.show();
    tabs.show(change);
  });
  followHistory(app, (run, view) => enterRun(app, run, view, true));
  listenToKeys(app);
  const shown = tabs.show(new Set(["run", "tab", "class_name", "image_id", "select", "export", "a"]));
  mountHelp(app);
  return shown;
}

/**
 * Create the link that leads past the header and the settings; it is seen while it has the focus.
 * @param {HTMLElement} stage
 */
function createSkipLink(stage) {
  /** @param {Event} event */
  const onclick = (event) => {
    event.preventDefault(); // the address is the view's
    stage.focus();
  };
  return h("a.skip", { href: `#${stage.id}`, onclick }, "Skip to the content");
}

/** @param {string} id */
function createPanel(id) {
  const props = { id: `dsel-panel-${id}`, role: "tabpanel", "aria-labelledby": `dsel-tab-${id}`, hidden: true };
  return h("section.panel", { ...props, data: { label: LABELS[id] } });
}

/**
 * Load the large plotting library while nobody waits, so that Clusters opens at once.
 * @param {App} app
 */
function prefetchPlotly({ files }) {
  const link = h("link", { rel: "prefetch", as: "script", href: files.plotly });
  whenIdle(() => document.head.append(link), IDLE_MS);
}

/**
 * Open another run; "" is the one that the app was opened on.
 * @param {App} app
 * @param {string} token
 * @param {Record<string, string>} view
 */
function openRun(app, token, view) {
  return enterRun(app, token, new URLSearchParams(view).toString(), false);
}

/**
 * Enter a run; a tab that the visitor chooses while it opens stays.
 * @param {App} app
 * @param {string} token
 * @param {string} link
 * @param {boolean} isCorrection
 */
async function enterRun(app, token, link, isCorrection) {
  const { tab } = app.store.state;
  entered += 1;
  const turn = entered;
  const start = await app.latest("run", () => app.ask("start", { link }, { run: token, view: "" }));
  if (!start || turn !== entered) return; // another run was opened meanwhile
  app.start = start;
  app.colors = createColors(start.colours);
  const { view, classes, notes } = start;
  const chosen = app.store.state.tab === tab ? view.tab || "inspect" : app.store.state.tab;
  app.store.open({ ...view, class_name: view.class_name || classes[0].name, run: token, tab: chosen }, isCorrection);
  showNotes(app, notes);
  await app.attempt(() => restoreSelection(app));
}
