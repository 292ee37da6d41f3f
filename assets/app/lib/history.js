// The browser's history: Back leads to the tab, class, image or run before; settings change the address alone.

import { writeSearch } from "./links.js";

const PLACES = /** @type {const} */ (["run", "tab", "class_name", "image_id"]);
const RAPID_MS = 700;

/** @typedef {{ run: string, tab: string, class_name: string, image_id: string, view: string }} Place */

/**
 * Write each change of the store to the address; `enter(run, view)` opens another run that Back leads to.
 * @param {App} app
 * @param {(run: string, view: string) => Promise<void>} enter
 */
export function followHistory({ store, attempt }, enter) {
  let lastImageAt = -Infinity;
  write(false);
  store.subscribe((change, isCorrection) => write(!isCorrection && isStep(change)));
  addEventListener("popstate", ({ state }) => state?.dsel && attempt(() => goTo(state.dsel)));

  /**
   * Images that are stepped through in quick succession are one entry.
   * @param {Change} change
   */
  function isStep(change) {
    if (!PLACES.some((one) => change.has(one))) return false;
    const now = performance.now();
    const isRapid = change.size === 1 && change.has("image_id") && now - lastImageAt < RAPID_MS;
    lastImageAt = now;
    return !isRapid;
  }

  /** @param {boolean} asStep whether the page before gets an entry of its own */
  function write(asStep) {
    const { run, tab, class_name: className, image_id: id } = store.state;
    /** @type {Place} */
    const dsel = { run, tab, class_name: className, image_id: id, view: store.query() };
    const address = writeSearch(store, location.search) || location.pathname;
    if (asStep) history.pushState({ dsel }, "", address);
    else history.replaceState({ dsel }, "", address);
  }

  /**
   * Go to a place of the history. Settings stay as they are, since Undo takes them back, except those of another run.
   * @param {Place} place
   */
  async function goTo({ view, ...place }) {
    try {
      if (place.run === store.state.run) store.go(place, true);
      else await enter(place.run, view);
    } finally {
      write(false);
    }
  }
}
