// The page: its frame, its tabs, its keys. What each tab shows lies in a module of its own.

import { mountSettings } from "./components/sidebar.js";
import { createHeat } from "./lib/colors.js";
import { fill, h, icon, plural } from "./lib/dom.js";
import { ICONS } from "./lib/icons.js";
import { createPictures } from "./lib/images.js";
import { createJobs } from "./lib/jobs.js";
import { asker, lines } from "./lib/rpc.js";
import { createStore } from "./lib/store.js";

const TABS = ["inspect", "clusters", "distilled", "compare", "baselines", "score", "export"];
const LABELS = {
  inspect: "Inspect",
  clusters: "Clusters",
  distilled: "Distilled set",
  compare: "Compare",
  baselines: "Baselines",
  score: "Score",
  export: "Export",
};
const TOAST_MS = 6000;
const RUN_KEY = "run";

/** Fill Gradio's element with the page; `server.ask` answers its questions. */
export async function boot({ element, server, upload, files, base }) {
  const root = element.querySelector(".dsel");
  recallTheme();
  const given = new URLSearchParams(location.search);
  const run = given.get(RUN_KEY) ?? "";
  given.delete(RUN_KEY);
  const where = { run, view: given.toString() };
  const ask = asker(server, () => where);
  const { start, notice } = await open(ask, where);
  if (!start) return fail(root, notice);
  const store = createStore(start, where.run);
  Object.defineProperty(where, "run", { get: () => store.state.run });
  Object.defineProperty(where, "view", { get: () => store.query() });
  const app = createApp({ root, store, ask, upload, files, base, start });
  build(app);
  app.jobs.poll();
  if (notice) app.toast(notice, "error");
  root.removeAttribute("aria-busy");
}

/** The answer of "start"; where the link cannot be followed, what it says and the plain page. */
async function open(ask, where) {
  try {
    return { start: await ask("start") };
  } catch (error) {
    const notice = error.message;
    where.view = "";
    try {
      return { start: await ask("start"), notice };
    } catch {
      where.run = "";
      return ask("start").then(
        (start) => ({ start, notice }),
        () => ({ notice }),
      );
    }
  }
}

function fail(root, notice) {
  root.removeAttribute("aria-busy");
  const again = h("button.primary", { type: "button", onclick: () => location.reload() }, "Try again");
  fill(root, h("main.failed", {}, h("h1", {}, "dsel could not open"), h("p", {}, notice), again));
}

/** What every part of the page gets. */
function createApp({ root, store, ask, upload, files, base, start }) {
  const toasts = h("div.toasts", { role: "status", "aria-live": "polite" });
  const app = {
    root,
    store,
    ask,
    upload,
    files,
    base,
    start,
    toasts,
    latest: lines(),
    pictures: createPictures(ask),
    heat: createHeat(start.colours),
    keys: new Map(),
    /** The class looked at, as "start" tells of it. */
    class: () => app.start.classes.find((one) => one.name === store.state.class_name) ?? app.start.classes[0],
    toast: (text, kind = "note") => toast(toasts, text, kind),
    dialog: (title, ...children) => dialog(root, title, children),
    /** Do something that may fail, and say so in a toast. */
    attempt: async (work) => {
      try {
        return await work();
      } catch (error) {
        app.toast(error.message, "error");
        return undefined;
      }
    },
    /** Copy a text and say so. */
    copy: (text, what) => copy(app, text, what),
    /** The link that opens the present view. */
    link: () => `${location.origin}${location.pathname}${search(store)}`,
    openRun: (token, view = {}) => openRun(app, token, view),
  };
  app.jobs = createJobs(app);
  const names = start.classes.map((one) => one.name);
  if (store.state.class_name && !names.includes(store.state.class_name))
    app.toast(`This run has no class ${store.state.class_name}: here is ${names[0]}.`, "error");
  if (!names.includes(store.state.class_name)) store.go({ class_name: names[0], image_id: "" });
  if (!TABS.includes(store.state.tab)) store.go({ tab: "inspect" });
  return app;
}

function build(app) {
  const { root, store } = app;
  const side = h("aside.side", { "aria-label": "Settings" });
  const panels = Object.fromEntries(
    TABS.map((id) => [
      id,
      h("section.panel", {
        id: `dsel-panel-${id}`,
        role: "tabpanel",
        "aria-labelledby": `dsel-tab-${id}`,
        hidden: true,
      }),
    ]),
  );
  const top = makeTop(app);
  fill(root, top.element, h("div.body", {}, side, h("main.stage", {}, Object.values(panels))), app.toasts);
  app.remount = () => {
    app.showSettings = mountSettings(side, app);
    top.classes();
  };
  app.remount();
  const tabs = createTabs(app, panels);
  app.again = () => tabs.show(new Set());
  store.subscribe((change) => {
    app.showSettings();
    top.show();
    remember(store);
    tabs.show(change);
  });
  root.addEventListener("keydown", (event) => app.attempt(async () => pressed(app, event)));
  document.addEventListener(
    "keydown",
    (event) => event.target === document.body && app.attempt(async () => pressed(app, event)),
  );
  bindKeys(app);
  top.show();
  tabs.show(new Set(["run", "tab", "class_name", "image_id", "select", "export", "a"]));
  prefetch(app);
  import("./components/help.js").then(
    ({ mountHelp }) => mountHelp(app),
    () => {},
  );
}

/** The plot's library is large: it comes while nobody waits, so that Clusters opens at once. */
function prefetch({ files }) {
  const idle = window.requestIdleCallback ?? ((then) => setTimeout(then, 3000));
  idle(() => document.head.append(h("link", { rel: "prefetch", as: "script", href: files.plotly })), { timeout: 8000 });
}

/** Tabs are imported and mounted when they are first opened. */
function createTabs(app, panels) {
  const mounted = new Map();
  const stale = new Map(TABS.map((id) => [id, new Set()]));
  let trouble = null;
  let turn = 0;
  return { show };

  async function show(change) {
    const now = app.store.state.tab;
    for (const id of TABS) {
      change.forEach((key) => stale.get(id).add(key));
      if (panels[id].hidden !== (id !== now)) {
        panels[id].hidden = id !== now;
        if (id !== now) mounted.get(id)?.hide?.();
      }
    }
    trouble?.remove();
    turn += 1;
    const mine = turn;
    try {
      await open(now);
    } catch (error) {
      // What cannot be shown stays said until the view is another.
      if (mine === turn) trouble = app.toast(error.message, "trouble");
    }
  }

  async function open(now) {
    if (!mounted.has(now)) {
      const { tab } = await import(`./tabs/${now}.js`);
      if (!mounted.has(now)) mounted.set(now, tab.mount(panels[now], app) ?? {});
    }
    if (app.store.state.tab !== now || !stale.get(now).size) return;
    const changed = new Set(stale.get(now));
    stale.get(now).clear();
    const view = app.store.query();
    try {
      await mounted.get(now).show?.(changed);
      painted(app.root, view);
    } catch (error) {
      // What could not be shown is owed: the next change, or a click on the tab, asks again.
      for (const key of changed) stale.get(now).add(key);
      throw error;
    }
  }
}

/** Say which view the eye sees, one frame after it was drawn: what measures the page waits for it. */
function painted(root, view) {
  requestAnimationFrame(() => setTimeout(() => (root.dataset.painted = view)));
}

function makeTop(app) {
  const { store } = app;
  const pick = h("select", {
    "aria-label": "Class",
    onchange: () => store.go({ class_name: pick.value, image_id: "" }),
  });
  const step = (by, path, words) =>
    h(
      "button.tool",
      { type: "button", title: words, "aria-label": words, onclick: () => stepClass(app, by) },
      icon(path),
    );
  const tabs = TABS.map((id) =>
    h(
      "button",
      {
        type: "button",
        role: "tab",
        id: `dsel-tab-${id}`,
        "aria-controls": `dsel-panel-${id}`,
        onclick: () => (store.state.tab === id ? app.again?.() : store.go({ tab: id })),
      },
      LABELS[id],
    ),
  );
  const list = h(
    "div.tabs",
    { role: "tablist", "aria-label": "What is shown", onkeydown: (event) => arrows(event, tabs) },
    tabs,
  );
  const tool = (path, words, onclick, props = {}) =>
    h("button.tool", { type: "button", title: words, "aria-label": words, onclick, ...props }, icon(path));
  const undo = tool(ICONS.undo, "Undo (Ctrl+Z)", () => undoOne(app));
  const redo = tool(ICONS.redo, "Redo (Ctrl+Shift+Z)", () => redoOne(app));
  const drawer = tool(ICONS.sliders, "Settings", () => app.root.classList.toggle("drawer"), {
    className: "tool drawer-button",
  });
  const tools = h(
    "div.tools",
    {},
    undo,
    redo,
    tool(ICONS.link, "Copy a link to this view", () => app.copy(app.link(), "the link to this view")),
    tool(ICONS.sun, "Dark or light", turnTheme),
    tool(ICONS.help, "Help and keyboard (?)", () => app.help?.(), { id: "dsel-help" }),
    drawer,
  );
  const run = h("p.run", {});
  const element = h(
    "header.top",
    {},
    h("div.brand", {}, h("h1", {}, "dsel"), run),
    h("div.pick", {}, step(-1, ICONS.left, "Class before ([)"), pick, step(1, ICONS.right, "Next class (])")),
    list,
    tools,
  );
  return {
    element,
    classes() {
      fill(
        pick,
        app.start.classes.map((one) => h("option", { value: one.name }, `${one.name} (${one.scored})`)),
      );
      const { dataset, prior, scored } = app.start.run;
      run.textContent = `${dataset.split(/[\\/]/).pop()} · ${plural(scored, "image")} · ${prior.split(/[\\/]/).pop()}`;
      run.title = `dataset ${dataset}, prior ${prior}`;
    },
    show() {
      const { state } = store;
      pick.value = pick.title = state.class_name;
      tabs.forEach((tab, n) => {
        tab.setAttribute("aria-selected", String(TABS[n] === state.tab));
        tab.tabIndex = TABS[n] === state.tab ? 0 : -1;
        // On a phone the row of tabs scrolls by itself: the chosen one is seen.
        if (TABS[n] === state.tab)
          requestAnimationFrame(
            () => (list.scrollLeft = tab.offsetLeft - list.offsetLeft - (list.clientWidth - tab.offsetWidth) / 2),
          );
      });
      undo.disabled = !store.canUndo();
      redo.disabled = !store.canRedo();
    },
  };
}

function arrows(event, tabs) {
  const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!by) return;
  const now = tabs.indexOf(document.activeElement);
  const next = tabs[(now + by + tabs.length) % tabs.length];
  next.focus();
  next.click();
  event.preventDefault();
  event.stopPropagation();
}

function stepClass(app, by) {
  const names = app.start.classes.map((one) => one.name);
  const next = names[names.indexOf(app.store.state.class_name) + by];
  if (next) app.store.go({ class_name: next, image_id: "" });
}

function undoOne(app) {
  if (app.store.undo()) app.toast("Undone");
}

function redoOne(app) {
  if (app.store.redo()) app.toast("Done again");
}

function bindKeys(app) {
  const { keys } = app;
  keys.set("[", () => stepClass(app, -1));
  keys.set("]", () => stepClass(app, 1));
  keys.set("Ctrl+z", () => undoOne(app));
  keys.set("Ctrl+Z", () => redoOne(app));
  keys.set("Ctrl+y", () => redoOne(app));
  TABS.forEach((id, n) => keys.set(String(n + 1), () => app.store.go({ tab: id })));
}

/** Keys count outside of what is typed into; arrows outside of sliders and lists, too. */
function pressed(app, event) {
  const { target } = event;
  if (event.altKey || target.closest?.("dialog")) return;
  if (event.key === "Escape" && app.root.classList.contains("drawer")) return app.root.classList.remove("drawer");
  const types = target.matches?.(
    "input:not([type=range]):not([type=checkbox]):not([type=radio]), textarea, [contenteditable]",
  );
  const moves =
    target.matches?.("input[type=range], select, [role=tab]") &&
    /^(Arrow|Home|End|Page)/.test(event.key) &&
    !event.ctrlKey;
  const picks = target.matches?.("select") && event.key.length === 1 && !event.ctrlKey && !event.metaKey;
  if (types || moves || picks) return;
  const key = `${event.ctrlKey || event.metaKey ? "Ctrl+" : ""}${event.key}`;
  const does = app.keys.get(key);
  if (!does) return;
  event.preventDefault();
  does(event);
}

/** Look at another run; "" is the one that the app was opened on. */
async function openRun(app, token, view) {
  const { store } = app;
  app.start = await app.ask("start", { run: token, view: new URLSearchParams(view).toString() });
  app.heat = createHeat(app.start.colours);
  store.open({
    ...app.start.view,
    run: token,
    class_name: view.class || app.start.classes[0].name,
    tab: view.tab || "inspect",
  });
  app.remount();
}

function remember(store) {
  history.replaceState(null, "", search(store) || location.pathname);
}

/** The query of the link: the run, and the view without what a page shows by itself. */
function search({ state, query }) {
  const own = new URLSearchParams(query({ ...state, tab: state.tab === "inspect" ? "" : state.tab }));
  if (state.run) own.append(RUN_KEY, state.run);
  for (const [key, value] of new URLSearchParams(location.search)) if (key.startsWith("__")) own.append(key, value);
  const text = own.toString();
  return text && `?${text}`;
}

function recallTheme() {
  try {
    const kept = localStorage.getItem("dsel-theme");
    if (kept) document.body.classList.toggle("dark", kept === "dark");
  } catch {
    // Without storage the system's theme holds.
  }
}

function turnTheme() {
  const dark = document.body.classList.toggle("dark");
  try {
    localStorage.setItem("dsel-theme", dark ? "dark" : "light");
  } catch {
    // Without storage the choice lasts as long as the page.
  }
}

function toast(place, text, kind) {
  const item = h(
    `div.toast.${kind === "trouble" ? "error" : kind}`,
    {},
    h("span", {}, text),
    h("button.tool", { type: "button", "aria-label": "Close", onclick: () => item.remove() }, icon(ICONS.close)),
  );
  for (const old of [...place.children].filter((one) => one.textContent === item.textContent)) old.remove();
  place.append(item);
  while (place.children.length > 3) place.firstChild.remove();
  if (kind !== "trouble") setTimeout(() => item.remove(), kind === "error" ? 2 * TOAST_MS : TOAST_MS);
  return item;
}

function dialog(root, title, children) {
  const close = h(
    "button.tool",
    { type: "button", "aria-label": "Close", onclick: () => box.close() },
    icon(ICONS.close),
  );
  const box = h(
    "dialog",
    { "aria-label": title, onclose: () => box.remove() },
    h("div.dialog-head", {}, h("h2", {}, title), close),
    h("div.dialog-body", {}, children),
  );
  box.addEventListener("click", (event) => event.target === box && box.close());
  root.append(box);
  box.showModal();
  return box;
}

async function copy(app, text, what) {
  try {
    await navigator.clipboard.writeText(text);
    app.toast(`Copied ${what}`);
  } catch {
    app.dialog(`Copy ${what}`, h("textarea.code", { value: text, readOnly: true, rows: 4, "aria-label": what }));
  }
}
