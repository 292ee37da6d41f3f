// The tabs: each module is imported and mounted when its tab is first opened, and shown when something changed.

export const TABS = [
  "inspect",
  "map",
  "find",
  "clusters",
  "distilled",
  "compare",
  "baselines",
  "evaluate",
  "score",
  "export",
];
/** @type {Record<string, string>} */
export const LABELS = {
  inspect: "Inspect",
  map: "Map",
  find: "Find",
  clusters: "Clusters",
  distilled: "Distilled set",
  compare: "Compare",
  baselines: "Baselines",
  evaluate: "Evaluate",
  score: "Score",
  export: "Export",
};

export class TabPanels {
  /**
   * @param {App} app
   * @param {Record<string, HTMLElement>} panels
   */
  constructor(app, panels) {
    this.app = app;
    this.panels = panels;
    /** @type {Map<string, MountedTab>} */
    this.mounted = new Map();
    /** @type {Map<string, Change>} */
    this.stale = new Map(TABS.map((id) => [id, new Set()]));
    /** @type {HTMLElement | null} */
    this.error = null;
    this.turn = 0;
  }

  /**
   * Show the current tab after a change of the view.
   * @param {Change} change
   */
  async show(change) {
    const current = this.app.store.state.tab;
    for (const id of TABS) {
      for (const key of change) this.stale.get(id)?.add(key);
      this.reveal(id, id === current);
    }
    this.error?.remove();
    this.turn += 1;
    const { turn } = this;
    try {
      await this.open(current);
    } catch (error) {
      // The message stays until the view changes.
      if (turn === this.turn) this.error = this.app.toast(/** @type {Error} */ (error).message, "lasting");
    }
  }

  /**
   * @param {string} id
   * @param {boolean} visible
   */
  reveal(id, visible) {
    if (this.panels[id].hidden !== visible) return;
    this.panels[id].hidden = !visible;
    if (!visible) this.mounted.get(id)?.hide?.();
  }

  /** @param {string} id */
  async open(id) {
    const tab = await this.mount(id);
    const stale = /** @type {Change} */ (this.stale.get(id));
    if (this.app.store.state.tab !== id || !stale.size) return;
    const change = new Set(stale);
    stale.clear();
    const view = this.app.store.query();
    try {
      await tab.show?.(change);
      markPainted(this.app.root, view);
    } catch (error) {
      // What could not be shown stays stale: the next change, or a click on the tab, requests it again.
      for (const key of change) stale.add(key);
      throw error;
    }
  }

  /**
   * Say that the app does not answer, if that is why a module could not be loaded.
   * @param {unknown} error
   * @returns {Promise<never>}
   */
  async explain(error) {
    await this.app.ask("ping", {}, { run: "", view: "" });
    throw error;
  }

  /** @param {string} id */
  async mount(id) {
    const known = this.mounted.get(id);
    if (known) return known;
    const { tab } = await import(`../tabs/${id}.js`).catch((error) => this.explain(error));
    const mounted = this.mounted.get(id) ?? tab.mount(this.panels[id], this.app);
    this.mounted.set(id, mounted);
    return mounted;
  }
}

/**
 * Record which view is on the screen, one frame after it was drawn: measurements wait for it.
 * @param {HTMLElement} root
 * @param {string} view
 */
function markPainted(root, view) {
  requestAnimationFrame(() =>
    setTimeout(() => {
      root.dataset.painted = view;
    }),
  );
}
