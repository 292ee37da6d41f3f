// The filter of the Find tab: as values, as the part of the link that holds it, and in words.

/**
 * A filter, its order, and what is shown of it. Ranges are shares of the mean loss; null leaves an end open.
 * `like`: an image whose similar patches are listed in place of a filter's images; `like_class`: its class.
 * @typedef {object} Find
 * @property {"images" | "classes"} show
 * @property {string} text
 * @property {string[]} classes
 * @property {string} status
 * @property {number | null} score_min
 * @property {number | null} score_max
 * @property {number | null} margin_min
 * @property {number | null} margin_max
 * @property {number | null} error_min
 * @property {number | null} error_max
 * @property {string} hit
 * @property {boolean} near_duplicates
 * @property {string} looks a class, * for any other one
 * @property {string} sort
 * @property {boolean} backwards
 * @property {string} like
 * @property {string} like_class
 */

/** @type {Find} */
export const NOTHING = {
  show: "images",
  text: "",
  classes: [],
  status: "scored",
  score_min: null,
  score_max: null,
  margin_min: null,
  margin_max: null,
  error_min: null,
  error_max: null,
  hit: "any",
  near_duplicates: false,
  looks: "",
  sort: "score",
  backwards: false,
  like: "",
  like_class: "",
};

/** In `looks`: any other class. */
export const ANY_OTHER = "*";

/** @type {Record<string, string>} */
export const STATUSES = {
  scored: "all scored",
  kept: "kept",
  not_kept: "not kept",
  pinned: "pinned",
  banned: "banned",
  moved: "moved by hand",
  copy: "copies of others",
  skipped: "skipped",
  any: "all, also skipped",
};
/** @type {Record<string, string>} */
export const SORTS = {
  score: "by score",
  margin: "by margin",
  error: "by standard error",
  rank: "by rank in the class",
  looks: "by likeness to another class",
  name: "by name",
};
/** @type {Record<string, string>} */
export const HITS = { any: "hits and misses", hit: "hits", miss: "misses" };

/** @type {Record<string, string[] | Record<string, string>>} */
const CHOICES = { show: ["images", "classes"], status: STATUSES, sort: SORTS, hit: HITS };
const RANGES = /** @type {const} */ (["score", "margin", "error"]);

/**
 * Write what differs from no filter, for the link.
 * @param {Find} find
 */
export function writeFind(find) {
  const query = new URLSearchParams();
  for (const [name, usual] of Object.entries(NOTHING)) {
    const value = find[/** @type {keyof Find} */ (name)];
    if (Array.isArray(value)) for (const one of value) query.append(name, one);
    else if (value !== usual && value !== null) query.append(name, String(value));
  }
  return query.toString();
}

/**
 * Read the part of the link that holds a filter. What it cannot mean in this run is left out.
 * @param {string} text
 * @param {string[]} known the classes of the run
 * @returns {{ find: Find, left: string[] }} left: what was left out
 */
export function readFind(text, known) {
  const find = { ...NOTHING };
  /** @type {string[]} */
  const left = [];
  const query = new URLSearchParams(text);
  for (const name of new Set(query.keys())) {
    const value = readValue(name, query.getAll(name), known);
    if (value === undefined) left.push(`${name}=${query.get(name)}`);
    else Object.assign(find, { [name]: value });
  }
  if (find.like && !find.like_class) Object.assign(find, { like: "" });
  return { find, left };
}

/**
 * @param {string} name
 * @param {string[]} texts
 * @param {string[]} known
 */
function readValue(name, texts, known) {
  const [text] = texts;
  const usual = NOTHING[/** @type {keyof Find} */ (name)];
  if (!(name in NOTHING)) return undefined;
  if (name === "classes") return texts.every((one) => known.includes(one)) ? texts : undefined;
  if (name === "like_class") return known.includes(text) ? text : undefined;
  if (name === "looks") return text === ANY_OTHER || known.includes(text) ? text : undefined;
  if (name in CHOICES) return oneOf(CHOICES[name], text);
  if (typeof usual === "boolean") return text === "true" ? true : undefined;
  if (usual === null) return Number.isFinite(Number.parseFloat(text)) ? Number(text) : undefined;
  return text;
}

/**
 * @param {string[] | Record<string, string>} choices
 * @param {string} text
 */
function oneOf(choices, text) {
  const names = Array.isArray(choices) ? choices : Object.keys(choices);
  return names.includes(text) ? text : undefined;
}

/**
 * Return the parameters of the request that answers a filter.
 * @param {Find} find
 */
export function requestOf({ show: _, like: __, like_class: ___, ...params }) {
  return params;
}

/**
 * Parse per cent as people write it, "1.5", "1,5 %" or "−2", to a share of 1; null for nothing, NaN for no number.
 * @param {string} text
 */
export function parsePercent(text) {
  const plain = text.replace("%", "").replace("−", "-").replace(",", ".").trim();
  if (!plain) return null;
  const value = Number(plain);
  return Number.isFinite(value) ? rounded(value / 100) : Number.NaN;
}

/**
 * Write a share of 1 as the number of per cent for a field.
 * @param {number | null} share
 */
export function percentText(share) {
  return share === null ? "" : String(rounded(share * 100));
}

/** @param {number} value without what floating point adds: 1.5 % is 0.015 */
function rounded(value) {
  return Number(value.toPrecision(12));
}

/**
 * Return whether the images are filtered at all; order and what is shown do not count.
 * @param {Find} find
 */
export function isFiltered(find) {
  return filterText(find) !== "";
}

/**
 * Describe a filter in a few words, such as "“cat”, kept, score from 1 %"; empty where nothing is filtered.
 * @param {Find} find
 */
export function filterText(find) {
  const { text, classes, status, hit, near_duplicates: near, looks } = find;
  const parts = [
    text.trim() && `“${text.trim()}”`,
    classes.length > 3 ? `${classes.length} classes` : classes.join(", "),
    status !== NOTHING.status && STATUSES[status],
    ...RANGES.map((name) => rangeText(name, find[`${name}_min`], find[`${name}_max`])),
    hit !== NOTHING.hit && HITS[hit],
    near && "near-duplicates",
    looks && `looks like ${looks === ANY_OTHER ? "another class" : looks}`,
  ];
  return parts.filter(Boolean).join(", ");
}

/**
 * @param {"score" | "margin" | "error"} name
 * @param {number | null} low
 * @param {number | null} high
 */
function rangeText(name, low, high) {
  if (low === null && high === null) return "";
  const word = name === "error" ? "standard error" : name;
  const ends = [low !== null && `from ${percentText(low)} %`, high !== null && `to ${percentText(high)} %`];
  return `${word} ${ends.filter(Boolean).join(" ")}`;
}

/**
 * Filters that are ready to use. `boxes`: only where the run has true boxes; `about`: what the list is based on.
 * @type {{ label: string, values: Partial<Find>, boxes?: boolean, about?: string }[]}
 */
export const PRESETS = [
  {
    label: "Possible label errors",
    values: { sort: "score", backwards: true },
    about:
      "The images whose own class name helps the prior the least, the lowest score first: where a score is below " +
      "0, naming the class makes the prediction worse. The run has no gaps against other names, so “looks like” " +
      "compares features only: it names the class whose patches are the nearest on average, by Fisher’s linear " +
      "discriminant. Both are hints to look at, not verdicts: an unusual image of its class is here, too.",
  },
  {
    label: "Looks like another class",
    values: { looks: ANY_OTHER, sort: "looks" },
    about:
      "The images whose patch has features nearer to the mean of another class than to that of its own, the clearest " +
      "first. This is a weaker sign than a low score: features say what a patch looks like, not what helps the prior.",
  },
  { label: "Least sure", values: { sort: "error" } },
  { label: "Near-duplicates", values: { near_duplicates: true } },
  { label: "Misses", values: { hit: "miss" }, boxes: true },
  { label: "Skipped", values: { status: "skipped", sort: "name" } },
];

/**
 * Return the preset that a filter is, or undefined.
 * @param {Find} find
 */
export function presetOf(find) {
  const written = writeFind({ ...find, classes: [], text: "" });
  return PRESETS.find((one) => writeFind({ ...NOTHING, ...one.values }) === written);
}

/**
 * Sort the numbers of rows by a column; what is unknown comes last, equal ones keep their order.
 * @param {ArrayLike<number | string>} values
 * @param {boolean} falling
 * @returns {number[]}
 */
export function sortedRows(values, falling) {
  const rows = Array.from({ length: values.length }, (_, n) => n);
  /** @param {number} n */
  const isKnown = (n) => typeof values[n] === "string" || Number.isFinite(values[n]);
  const sign = falling ? -1 : 1;
  return rows.sort((a, b) => {
    if (!isKnown(a) || !isKnown(b)) return Number(isKnown(b)) - Number(isKnown(a)) || a - b;
    if (values[a] === values[b]) return a - b;
    return values[a] < values[b] ? -sign : sign;
  });
}

/**
 * Return the classes whose names contain all words; those that begin with the text come first.
 * @param {ClassSummary[]} classes
 * @param {string} text
 */
export function matchingClasses(classes, text) {
  const plain = text.trim().toLowerCase();
  const words = plain.split(/\s+/).filter(Boolean);
  const found = classes.filter(({ name }) => words.every((word) => name.toLowerCase().includes(word)));
  /** @param {ClassSummary} one */
  const isFirst = ({ name }) => name.toLowerCase().startsWith(plain);
  return plain ? [...found.filter(isFirst), ...found.filter((one) => !isFirst(one))] : found;
}
