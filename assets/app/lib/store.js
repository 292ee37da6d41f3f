// The one state of the page: which view of which run. Its query string is the link and goes with every request.

import { queryOf, same } from "./links.js";

const COALESCE_MS = 900;

/**
 * Create a store from the response of "start".
 * @param {{ defaults: ViewSettings, view: any }} start
 * @param {string} run
 * @returns {Store}
 */
export function createStore({ defaults, view }, run, now = () => performance.now()) {
  /** @type {View} */
  let state = { run, ...view };
  /** @type {Set<(change: Change, isCorrection: boolean) => void>} */
  const listeners = new Set();
  /** @type {Partial<View>[]} */
  const past = [];
  /** @type {Partial<View>[]} */
  const future = [];
  let last = { key: "", at: 0 };

  return {
    get state() {
      return state;
    },
    defaults,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    /** Change class_name, image_id, tab, run or a; a correction is the page's own, not the visitor's. */
    go: (position, isCorrection = false) => emit({ ...state, ...position }, isCorrection),
    select,
    exporting: (values) => emit({ ...state, export: { ...state.export, ...values } }),
    undo: () => step(past, future),
    redo: () => step(future, past),
    canUndo: () => past.length > 0,
    canRedo: () => future.length > 0,
    /** Replace the whole view, as another run does. */
    open(other, isCorrection = false) {
      past.length = 0;
      future.length = 0;
      emit({ ...state, ...other }, isCorrection);
    },
    query: (of = state) => queryOf(of, defaults),
  };

  /**
   * Change select settings, and the position with them; changes of one widget in a row are one step of undo.
   * @param {Partial<SelectSettings>} values
   * @param {string} [key]
   * @param {Partial<View>} [position]
   */
  function select(values, key = Object.keys(values).join(), position = {}) {
    const next = { ...state, ...position, select: { ...state.select, ...values } };
    if (same(next, state)) return;
    const at = now();
    if (key !== last.key || at - last.at > COALESCE_MS) past.push(undoable());
    last = { key, at };
    future.length = 0;
    emit(/** @type {View} */ (next));
  }

  /**
   * @param {Partial<View>[]} from
   * @param {Partial<View>[]} to
   */
  function step(from, to) {
    const before = from.pop();
    if (!before) return false;
    to.push(undoable());
    last = { key: "", at: 0 };
    emit({ ...state, ...before });
    return true;
  }

  function undoable() {
    return { select: state.select, a: state.a };
  }

  /**
   * @param {View} next
   * @param {boolean} [isCorrection]
   */
  function emit(next, isCorrection = false) {
    const change = new Set(Object.keys(next).filter((key) => !same(next[key], state[key])));
    if (!change.size) return;
    state = next;
    for (const listener of [...listeners]) listener(change, isCorrection);
  }
}
