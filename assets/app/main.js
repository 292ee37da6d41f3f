// The page: its frame, its tabs, its keys. Each tab has a module of its own in tabs/.

import { openDialog } from "./components/dialog.js";
import { createHeader } from "./components/header.js";
import { mountHelp } from "./components/help.js";
import { createKnowledgeBanner } from "./components/knowledge_banner.js";
import { mountSidebar } from "./components/sidebar.js";
import { copyText, createToasts, showToast } from "./components/toasts.js";
import { createColors } from "./lib/colors.js";
import { fill, h } from "./lib/dom.js";
import { createImages } from "./lib/images.js";
import { JobList } from "./lib/jobs.js";
import { listenToKeys } from "./lib/keys.js";
import { readSearch, writeSearch } from "./lib/links.js";
import { createAsk, createLatest, createServer, takeToken } from "./lib/rpc.js";
import { createStore } from "./lib/store.js";
import { LABELS, TABS, TabPanels } from "./lib/tabs.js";
import { applyTheme } from "./lib/theme.js";

const IDLE_MS = 8000;

/**
 * Fill Gradio's element with the page; `base` is the address of its routes.
 * @param {{ element: HTMLElement, files: Record<string, string>, base: string }} gradio
 */
export async function boot({ element, files, base }) {
  const root = /** @type {HTMLElement} */ (element.querySelector(".dsel"));
  applyTheme();
  takeToken();
  const place = readSearch(location.search);
  const ask = createAsk(createServer(base), () => place);
  const { start, problem } = await openView(ask, place);
  if (!start) {
    showFailure(root, problem);
    return;
  }
  const store = createStore(start, place.run);
  Object.defineProperty(place, "run", { get: () => store.state.run });
  Object.defineProperty(place, "view", { get: () => store.query() });
  const app = createApp({ root, store, ask, files, base, start });
  correctView(app);
  build(app);
  app.jobs.poll();
  if (problem) app.toast(problem, "error");
  root.removeAttribute("aria-busy");
}

/**
 * Open the view of the link; where that is not possible, the run without the view, then the app's first run.
 * @param {Ask} ask
 * @param {{ run: string, view: string }} place
 * @returns {Promise<{ start?: Start, problem: string }>}
 */
async function openView(ask, place) {
  let problem = "";
  for (const simplify of [() => {}, () => (place.view = ""), () => (place.run = "")]) {
    simplify();
    try {
      return { start: await ask("start"), problem };
    } catch (error) {
      problem ||= /** @type {Error} */ (error).message;
    }
  }
  return { problem };
}

/**
 * @param {HTMLElement} root
 * @param {string} problem
 */
function showFailure(root, problem) {
  root.removeAttribute("aria-busy");
  const retry = h("button.primary", { type: "button", onclick: () => location.reload() }, "Try again");
  fill(root, h("main.failed", {}, h("h1", {}, "dsel could not open"), h("p", {}, problem), retry));
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
 * Replace a class or a tab of the link that does not exist.
 * @param {App} app
 */
function correctView({ start, store, toast }) {
  const names = start.classes.map((one) => one.name);
  const { class_name: name, tab } = store.state;
  if (name && !names.includes(name)) toast(`This run has no class ${name}; it shows ${names[0]}.`, "error");
  if (!names.includes(name)) store.go({ class_name: names[0], image_id: "" });
  if (!TABS.includes(tab)) store.go({ tab: "inspect" });
}

/** @param {App} app */
function build(app) {
  const { root, store } = app;
  const side = h("aside.side", { "aria-label": "Settings" });
  const panels = Object.fromEntries(TABS.map((id) => [id, createPanel(id)]));
  const tabs = new TabPanels(app, panels);
  const header = createHeader(app, () => tabs.show(new Set()));
  const knowledge = createKnowledgeBanner(app);
  fill(
    root,
    header.element,
    h("div.body", {}, side, h("main.stage", {}, knowledge.element, Object.values(panels))),
    app.toasts,
  );
  let showSidebar = mountSidebar(side, app);
  header.showRun();
  header.show();
  knowledge.show();
  store.subscribe((change) => {
    if (change.has("run")) {
      showSidebar = mountSidebar(side, app);
      header.showRun();
    }
    showSidebar();
    header.show();
    knowledge.show();
    history.replaceState(null, "", writeSearch(store, location.search) || location.pathname);
    tabs.show(change);
  });
  listenToKeys(app);
  tabs.show(new Set(["run", "tab", "class_name", "image_id", "select", "export", "a"]));
  prefetchPlotly(app);
  mountHelp(app);
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
  const idle = window.requestIdleCallback ?? ((/** @type {() => void} */ then) => setTimeout(then, 3000));
  idle(() => document.head.append(h("link", { rel: "prefetch", as: "script", href: files.plotly })), {
    timeout: IDLE_MS,
  });
}

/**
 * Open another run; "" is the one that the app was opened on.
 * @param {App} app
 * @param {string} token
 * @param {Record<string, string>} view
 */
async function openRun(app, token, view) {
  app.start = await app.ask("start", {}, { run: token, view: new URLSearchParams(view).toString() });
  app.colors = createColors(app.start.colours);
  const className = view.class || app.start.classes[0].name;
  app.store.open({ ...app.start.view, run: token, class_name: className, tab: view.tab || "inspect" });
}
