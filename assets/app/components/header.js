// The top of the page: the run, the class, the tabs, and the tools.

import { toggleDensity } from "../lib/density.js";
import { fill, h, icon, iconButton, indexOfFocus, set } from "../lib/dom.js";
import { plural } from "../lib/format.js";
import { ICONS } from "../lib/icons.js";
import { isActive } from "../lib/jobs.js";
import { LABELS, TABS } from "../lib/tabs.js";
import { toggleTheme } from "../lib/theme.js";
import { openClassSearch } from "./class_search.js";

/** More classes than these are searched by name; fewer are a list. */
const LISTED = 30;

/** Where the settings are a drawer, as in frame.css. */
const NARROW = "(max-width: 62rem)";
const COUNTED_STAGES = ["score", "round", "export", "evaluate", "advise"];
/** @type {Record<string, string[]>} */
const JOBS = { score: ["score"], export: ["export", "push"], evaluate: ["evaluate", "advise"] };

/**
 * Create the header; `retry` shows the current tab again.
 * @param {App} app
 * @param {() => void} retry
 */
export function createHeader(app, retry) {
  const run = h("p.run", {});
  const classes = createClassPicker(app);
  const tabs = createTabList(app, retry);
  const tools = createTools(app);
  const brand = h("div.brand", {}, h("h1", {}, "dsel"), run);
  app.jobs.subscribe(tabs.showJobs);
  return {
    element: h("header.top", {}, brand, classes.element, tabs.element, tools.element),
    showRun() {
      const { dataset, prior, scored, evaluations_per_image: each } = app.start.run;
      classes.showRun();
      const more = h("span.more", {}, ` · ${plural(scored, "image")} · ${lastPart(prior)}`);
      fill(run, h("span", {}, lastPart(dataset)), more);
      run.title = `dataset ${dataset}, prior ${prior}, ${each.toFixed(1)} evaluations of the prior per image`;
    },
    show() {
      classes.show();
      tabs.show();
      tools.show();
    },
  };
}

/** @param {string} path */
function lastPart(path) {
  return path.split(/[\\/]/).pop();
}

/** @param {App} app */
function createClassPicker(app) {
  const { store, keys } = app;
  const select = h("select", {
    "aria-label": "Class",
    onchange: () => store.go({ class_name: select.value, image_id: "" }),
  });
  /** @param {number} by */
  const step = (by) => {
    const names = app.start.classes.map((one) => one.name);
    const next = names[names.indexOf(store.state.class_name) + by];
    if (next) store.go({ class_name: next, image_id: "" });
  };
  keys.set("[", () => step(-1));
  keys.set("]", () => step(1));
  const search = () => openClassSearch(app, (name) => store.go({ class_name: name, image_id: "" }));
  keys.set("c", search);
  const name = h("span", {});
  const chosen = h("button.button.class-chosen", { type: "button", onclick: search }, name, icon(ICONS.search));
  const previous = iconButton(ICONS.left, "Previous class ([)", () => step(-1));
  const next = iconButton(ICONS.right, "Next class (])", () => step(1));
  return {
    element: h("div.pick", {}, previous, select, chosen, next),
    showRun() {
      const isLong = app.start.classes.length > LISTED;
      select.hidden = isLong;
      chosen.hidden = !isLong;
      const options = app.start.classes.map(({ name, scored }) => {
        return h("option", { value: name, title: plural(scored, "image") }, name);
      });
      fill(select, options);
    },
    show() {
      select.value = store.state.class_name;
      const { name: shown, scored } = app.class();
      select.title = `${shown}: ${plural(scored, "image")}`;
      name.textContent = store.state.class_name;
      set(chosen, { title: `${name.textContent}: choose another class (C)` });
      chosen.setAttribute("aria-label", `Class: ${name.textContent}`);
    },
  };
}

/**
 * @param {App} app
 * @param {() => void} retry
 */
function createTabList(app, retry) {
  const { store, keys } = app;
  /** @param {string} id */
  const open = (id) => (store.state.tab === id ? retry() : store.go({ tab: id }));
  const buttons = TABS.map((id) => {
    const props = { role: "tab", id: `dsel-tab-${id}`, "aria-controls": `dsel-panel-${id}` };
    return h("button", { type: "button", ...props, onclick: () => open(id) }, LABELS[id]);
  });
  TABS.forEach((id, n) => {
    keys.set(String((n + 1) % 10), () => store.go({ tab: id }));
  });
  const element = h(
    "div.tabs",
    {
      role: "tablist",
      "aria-label": "Tabs",
      onkeydown: (/** @type {KeyboardEvent} */ event) => moveFocus(event, buttons),
    },
    buttons,
  );
  return { element, show, showJobs };

  function show() {
    buttons.forEach((button, n) => {
      const selected = TABS[n] === store.state.tab;
      button.setAttribute("aria-selected", String(selected));
      button.tabIndex = selected ? 0 : -1;
      if (selected) requestAnimationFrame(() => scrollTo(element, button));
    });
  }

  function showJobs() {
    for (const [tab, kinds] of Object.entries(JOBS)) {
      const jobs = kinds.flatMap((kind) => app.jobs.of(kind));
      showProgress(
        buttons[TABS.indexOf(tab)],
        jobs.map((one) => one.report),
      );
    }
  }
}

/**
 * Scroll the row of tabs, which is wider than a phone, to the selected tab.
 * @param {HTMLElement} list
 * @param {HTMLElement} tab
 */
function scrollTo(list, tab) {
  list.scrollLeft = tab.offsetLeft - list.offsetLeft - (list.clientWidth - tab.offsetWidth) / 2;
}

/**
 * Show on a tab how far its running job is.
 * @param {HTMLElement} tab
 * @param {Report[]} reports
 */
function showProgress(tab, reports) {
  const running = reports.find((one) => one.state === "running") ?? reports.find(isActive);
  const old = tab.querySelector(".live");
  if (!running) {
    old?.remove();
    return;
  }
  const counted = COUNTED_STAGES.includes(running.stage) && running.total > 0;
  const live = old ?? tab.appendChild(h("span.live"));
  live.textContent = counted ? `${Math.floor((100 * running.done) / running.total)} %` : "…";
}

/**
 * Move the focus between tabs with the arrow keys, and open the tab that gets it.
 * @param {KeyboardEvent} event
 * @param {HTMLElement[]} tabs
 */
function moveFocus(event, tabs) {
  const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!by) return;
  const current = indexOfFocus(tabs);
  const next = tabs[(current + by + tabs.length) % tabs.length];
  next.focus();
  next.click();
  event.preventDefault();
  event.stopPropagation();
}

/**
 * Show the settings where they are folded, or in a drawer on a narrow screen.
 * @param {App} app
 */
function openSettings({ root }) {
  if (root.classList.contains("folded") && !matchMedia(NARROW).matches) toggleDensity(root, "folded");
  else root.classList.toggle("drawer");
}

/** @param {App} app */
function createTools(app) {
  const { store, keys } = app;
  const undo = () => store.undo() && app.toast("Undone");
  const redo = () => store.redo() && app.toast("Redone");
  keys.set("Ctrl+z", undo);
  keys.set("Ctrl+Z", redo);
  keys.set("Ctrl+y", redo);
  const back = iconButton(ICONS.undo, "Undo (Ctrl+Z)", undo);
  const forward = iconButton(ICONS.redo, "Redo (Ctrl+Shift+Z)", redo);
  const element = h(
    "div.tools",
    {},
    back,
    forward,
    iconButton(ICONS.link, "Copy a link to this view", () => app.copy(app.link(), "the link to this view")),
    iconButton(ICONS.sun, "Dark or light", toggleTheme),
    iconButton(ICONS.help, "Help and keyboard (?)", () => app.help?.(), { id: "dsel-help" }),
    iconButton(ICONS.sliders, "Settings", () => openSettings(app), { className: "tool drawer-button" }),
  );
  return {
    element,
    show() {
      back.disabled = !store.canUndo();
      forward.disabled = !store.canRedo();
    },
  };
}
