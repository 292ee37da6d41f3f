// Decisions by hand, as dsel/overrides.py means them: pins, bans, and moves written image@x,y.

let taken = 0;

/** Take a decision: one step of undo each, however fast they follow each other. */
function decide(store, values) {
  taken += 1;
  store.select(values, `by hand ${taken}`);
}

const without = (ids, id) => ids.filter((one) => one !== id);
const imageOf = (move) => move.slice(0, move.lastIndexOf("@"));

/** Keep an image's patch behind those pinned already, or leave it to the ranking again. */
export function togglePin(store, id) {
  const { pins, bans } = store.state.select;
  decide(store, pins.includes(id) ? { pins: without(pins, id) } : { pins: [...pins, id], bans: without(bans, id) });
}

/** Never keep an image, or let it be chosen again. */
export function toggleBan(store, id) {
  const { pins, bans } = store.state.select;
  decide(
    store,
    bans.includes(id) ? { bans: without(bans, id) } : { bans: [...bans, id].sort(), pins: without(pins, id) },
  );
}

/** Give an image a box with this corner in place of its best one. */
export function moveBox(store, id, x, y) {
  const kept = store.state.select.moves.filter((move) => imageOf(move) !== id);
  decide(store, { moves: [...kept, `${id}@${x},${y}`].sort() });
}

/** Give images their best boxes back. */
export function unmove(store, ids) {
  decide(store, { moves: store.state.select.moves.filter((move) => !ids.includes(imageOf(move))) });
}

/** Where an image's box was moved to: `{ x, y }`, or null. */
export function movedTo(select, id) {
  const move = select.moves.find((one) => imageOf(one) === id);
  if (!move) return null;
  const [x, y] = move
    .slice(move.lastIndexOf("@") + 1)
    .split(",")
    .map(Number);
  return { x, y };
}
