// The view as a query string, as dsel/config/url.py reads it: what differs from the defaults.

const RUN_KEY = "run";
/** @type {Record<string, string>} */
const POSITION = { class: "class_name", image: "image_id", tab: "tab", a: "a", slice: "slice", find: "find" };

/**
 * Write a view as a query string.
 * @param {ViewSettings} view
 * @param {ViewSettings} defaults
 */
export function queryOf(view, defaults) {
  const query = new URLSearchParams();
  for (const [key, name] of Object.entries(POSITION)) if (view[name]) query.append(key, view[name]);
  for (const id of view.ids ?? []) query.append("ids", id);
  for (const part of /** @type {const} */ (["select", "export"])) {
    for (const [name, usual] of Object.entries(defaults[part])) {
      const value = view[part][name];
      if (!same(value, usual)) for (const one of [value].flat()) query.append(name, spelled(one));
    }
  }
  return query.toString();
}

/** @param {unknown} value */
function spelled(value) {
  if (value === true) return "True";
  return value === false ? "False" : String(value);
}

/**
 * Write select settings alone; never empty, since an empty `a` means that nothing is pinned.
 * @param {ViewSettings} defaults
 * @param {SelectSettings} select
 */
export function selectQuery(defaults, select) {
  return queryOf({ select, export: defaults.export }, defaults) || `ipc=${defaults.select.ipc}`;
}

/**
 * Split the query of the address into the run and the view.
 * @param {string} search
 */
export function readSearch(search) {
  const given = new URLSearchParams(search);
  const run = given.get(RUN_KEY) ?? "";
  given.delete(RUN_KEY);
  return { run, view: given.toString() };
}

/**
 * Write the query of the address: the view, the run, and what the server put there itself.
 * @param {Store} store
 * @param {string} search
 */
export function writeSearch({ state, query }, search) {
  const next = new URLSearchParams(query({ ...state, tab: state.tab === "inspect" ? "" : state.tab }));
  if (state.run) next.append(RUN_KEY, state.run);
  for (const [key, value] of new URLSearchParams(search)) if (key.startsWith("__")) next.append(key, value);
  const text = next.toString();
  return text && `?${text}`;
}

/**
 * Write the view of one image under the settings of a query.
 * @param {string} query
 * @param {string} className
 * @param {string} id
 */
export function imageQuery(query, className, id) {
  const view = new URLSearchParams(query);
  for (const key of ["a", "tab", "slice", "find", "ids"]) view.delete(key);
  view.set("class", className);
  view.set("image", id);
  return view.toString();
}

/**
 * Return whether two plain values are equal.
 * @param {unknown} a
 * @param {unknown} b
 */
export function same(a, b) {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}
