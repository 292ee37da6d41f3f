// Manual overrides of the ranking: pins, bans, and moved boxes, which are written IMAGE@X,Y.

let steps = 0;

/**
 * Each override is its own step of undo, however fast they follow each other.
 * @param {Store} store
 * @param {Partial<SelectSettings>} values
 */
function override(store, values) {
  steps += 1;
  store.select(values, `override ${steps}`);
}

/**
 * @param {string[]} ids
 * @param {string} id
 */
const without = (ids, id) => ids.filter((one) => one !== id);

/** @param {string} move */
const imageOf = (move) => move.slice(0, move.lastIndexOf("@"));

/**
 * Pin an image, whose patch is then kept first, or unpin it.
 * @param {Store} store
 * @param {string} id
 */
export function togglePin(store, id) {
  const { pins, bans } = store.state.select;
  if (pins.includes(id)) override(store, { pins: without(pins, id) });
  else override(store, { pins: [...pins, id], bans: without(bans, id) });
}

/**
 * Ban an image, which is then never kept, or allow it again.
 * @param {Store} store
 * @param {string} id
 */
export function toggleBan(store, id) {
  const { pins, bans } = store.state.select;
  if (bans.includes(id)) override(store, { bans: without(bans, id) });
  else override(store, { bans: [...bans, id].sort(), pins: without(pins, id) });
}

/**
 * Replace one image by another: ban the first and pin the second, at the first one's position among the pins.
 * @param {Store} store
 * @param {string} removed
 * @param {string} added
 */
export function replaceImage(store, removed, added) {
  const { pins, bans } = store.state.select;
  const next = pins.includes(removed)
    ? pins.map((id) => (id === removed ? added : id))
    : [...without(pins, added), added];
  override(store, { pins: [...new Set(next)], bans: [...without(bans, added), removed].sort() });
}

/** Images that may be pinned or banned by hand in all: each request and the link carry them. */
export const MOST_OVERRIDDEN = 5000;

/**
 * Pin many images in one step of undo. Those that were pinned keep their order, before the new ones.
 * @param {Store} store
 * @param {string[]} ids
 */
export function pinMany(store, ids) {
  const { pins, bans } = store.state.select;
  overrideMany(store, union(pins, ids), minus(bans, ids));
}

/**
 * Ban many images in one step of undo.
 * @param {Store} store
 * @param {string[]} ids
 */
export function banMany(store, ids) {
  const { pins, bans } = store.state.select;
  overrideMany(store, minus(pins, ids), union(bans, ids).sort());
}

/**
 * Neither pin nor ban these images any more, in one step of undo.
 * @param {Store} store
 * @param {string[]} ids
 */
export function releaseMany(store, ids) {
  const { pins, bans } = store.state.select;
  override(store, { pins: minus(pins, ids), bans: minus(bans, ids) });
}

/**
 * @param {Store} store
 * @param {string[]} pins
 * @param {string[]} bans
 */
function overrideMany(store, pins, bans) {
  const total = pins.length + bans.length;
  if (total > MOST_OVERRIDDEN)
    throw new Error(`At most ${MOST_OVERRIDDEN} images can be pinned or banned in all, but these would be ${total}.`);
  override(store, { pins, bans });
}

/**
 * @param {string[]} ids
 * @param {string[]} others
 */
const union = (ids, others) => [...new Set([...ids, ...others])];

/**
 * @param {string[]} ids
 * @param {string[]} removed
 */
function minus(ids, removed) {
  const gone = new Set(removed);
  return ids.filter((id) => !gone.has(id));
}

/**
 * Move an image's box to a corner.
 * @param {Store} store
 * @param {string} id
 * @param {number} x
 * @param {number} y
 */
export function moveBox(store, id, x, y) {
  const others = store.state.select.moves.filter((move) => imageOf(move) !== id);
  override(store, { moves: [...others, `${id}@${x},${y}`].sort() });
}

/**
 * Give images their best boxes back.
 * @param {Store} store
 * @param {string[]} ids
 */
export function resetBoxes(store, ids) {
  override(store, { moves: store.state.select.moves.filter((move) => !ids.includes(imageOf(move))) });
}

/**
 * Return the corner that an image's box was moved to, or null.
 * @param {SelectSettings} select
 * @param {string} id
 * @returns {[number, number] | null}
 */
export function movedTo({ moves }, id) {
  const move = moves.find((one) => imageOf(one) === id);
  if (!move) return null;
  const [x, y] = move.slice(id.length + 1).split(",");
  return [Number(x), Number(y)];
}

/**
 * Remove some overrides.
 * @param {Store} store
 * @param {{ kind: string, image_id: string }[]} removed
 */
export function removeOverrides(store, removed) {
  const { pins, bans, moves } = store.state.select;
  /** @param {string} kind */
  const of = (kind) => new Set(removed.filter((one) => one.kind === kind).map((one) => one.image_id));
  const [pinned, banned, moved] = [of("pin"), of("ban"), of("move")];
  override(store, {
    pins: pins.filter((id) => !pinned.has(id)),
    bans: bans.filter((id) => !banned.has(id)),
    moves: moves.filter((move) => !moved.has(imageOf(move))),
  });
}

/**
 * Remove all overrides.
 * @param {Store} store
 */
export function clearOverrides(store) {
  override(store, { pins: [], bans: [], moves: [] });
}

/**
 * Summarize the overrides: "2 pinned, 1 banned"; empty where there are none.
 * @param {SelectSettings} select
 */
export function overridesText({ pins, bans, moves }) {
  /** @type {[string[], string][]} */
  const parts = [
    [pins, "pinned"],
    [bans, "banned"],
    [moves, "moved"],
  ];
  const some = parts.filter(([ids]) => ids.length);
  return some.map(([ids, word]) => `${ids.length} ${word}`).join(", ");
}
