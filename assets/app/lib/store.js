// The one state of the page: which view of which run. Its query string is the link, and goes with every question.

const PLACES = { class: "class_name", image: "image_id", tab: "tab", a: "a" };
const COALESCE_MS = 900;

/** A store over the answer of "start"; `view` is what the link said. */
export function createStore({ defaults, view }, run) {
  let state = { run, ...view };
  const listeners = new Set();
  const past = [];
  const future = [];
  let last = { key: "", at: 0 };

  const store = {
    get state() {
      return state;
    },
    defaults,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    /** Change places: class_name, image_id, tab, run, a. */
    go(places) {
      emit({ ...state, ...places });
    },
    /** Change settings of selecting, and places with them; moves of one widget in a row are one step. */
    select(values, key = Object.keys(values).join(), places = {}) {
      const next = { ...state, ...places, select: { ...state.select, ...values } };
      if (same(next, state)) return;
      const now = performance.now();
      if (key !== last.key || now - last.at > COALESCE_MS) past.push({ ...undoable(), key });
      last = { key, at: now };
      future.length = 0;
      emit(next);
    },
    /** Change settings of exporting. */
    exporting(values) {
      emit({ ...state, export: { ...state.export, ...values } });
    },
    undo: () => step(past, future),
    redo: () => step(future, past),
    canUndo: () => past.length > 0,
    canRedo: () => future.length > 0,
    /** Put another whole view in place, as a link or another run gives it. */
    open(other) {
      past.length = future.length = 0;
      emit({ ...state, ...other });
    },
    query: (of = state) => queryOf(of, defaults),
  };
  return store;

  function step(from, to) {
    const before = from.pop();
    if (!before) return "";
    const { key, ...there } = before;
    to.push({ ...undoable(), key });
    last = { key: "", at: 0 };
    emit({ ...state, ...there });
    return key;
  }

  /** What a step back brings again. */
  function undoable() {
    return { select: state.select, a: state.a };
  }

  function emit(next) {
    const change = new Set(Object.keys(next).filter((key) => !same(next[key], state[key])));
    if (!change.size) return;
    state = next;
    for (const listener of [...listeners]) listener(change);
  }
}

/** A view as a query string, as dsel/links.py reads it: what differs from the defaults. */
export function queryOf(view, defaults) {
  const query = new URLSearchParams();
  for (const [key, name] of Object.entries(PLACES)) if (view[name]) query.append(key, view[name]);
  for (const part of ["select", "export"]) {
    for (const [name, usual] of Object.entries(defaults[part])) {
      const value = view[part][name];
      if (!same(value, usual)) for (const one of [].concat(value)) query.append(name, spelled(one));
    }
  }
  return query.toString();
}

function spelled(value) {
  if (value === true) return "True";
  return value === false ? "False" : String(value);
}

/** Whether two plain values are alike. */
export function same(a, b) {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}
