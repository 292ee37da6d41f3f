// The distilled images, a row of cells per class; only rows that are near the window are there.

import { fill, h, number, plural } from "../lib/dom.js";
import { makeCrop } from "./patch_crop.js";

const AT_ONCE = 4;
const MARGIN = "700px 0px";
const GAP = 6;
const SIDES = { S: 48, M: 76, L: 140 };
const FEW = 30;

/**
 * Rows of classes. `choose(class, piece)` is told of a click, `failed(error)` and `came()` of answers.
 */
export function createRows(app, { choose, failed, came }) {
  const element = h("div.set-rows", {});
  const rows = new Map();
  const told = new Map();
  const look = { size: "M", version: 0, sides: [1] };
  const watcher = new IntersectionObserver(seen, { rootMargin: MARGIN, scrollMargin: MARGIN });
  const asking = "distilled";
  element.addEventListener("focusin", ({ target }) => target.matches(".tile") && rove(element, target));
  return { element, show, stale, resize, mark, figures, cells: () => [...element.querySelectorAll(".tile")] };

  /** Show rows of these classes, in this order. */
  function show(names) {
    const shown = [...rows.keys()];
    if (shown.length === names.length && shown.every((name, n) => name === names[n])) return;
    watcher.disconnect();
    const kept = new Map(rows);
    rows.clear();
    for (const name of names) rows.set(name, kept.get(name) ?? makeRow(name));
    fill(
      element,
      [...rows.values()].map((row) => row.element),
    );
    for (const row of rows.values()) watcher.observe(row.element);
  }

  /** What is shown is of other settings: ask again, what is seen first. */
  function stale({ all = false } = {}) {
    look.version += 1;
    if (all) {
      watcher.disconnect();
      rows.clear();
      told.clear();
      fill(element);
    }
    element.setAttribute("aria-busy", "true");
    return ask();
  }

  function resize(size) {
    look.size = size;
    element.style.setProperty("--cell", `${SIDES[size]}px`);
    for (const row of rows.values()) row.paint();
  }

  function seen(entries) {
    for (const { target, isIntersecting } of entries) {
      const row = rows.get(target.dataset.name);
      if (row) row.near(isIntersecting);
    }
    ask();
  }

  function waiting() {
    return [...rows.values()].filter((row) => row.isNear && row.version !== look.version).slice(0, AT_ONCE);
  }

  async function ask() {
    try {
      await app.latest(asking, async () => {
        for (let next = waiting(); next.length; next = waiting()) await askFor(next);
        element.removeAttribute("aria-busy");
      });
    } catch (error) {
      element.removeAttribute("aria-busy");
      failed(error);
    }
  }

  async function askFor(wanted) {
    const { version } = look;
    const { sides, classes } = await app.ask("distilled", { classes: wanted.map((row) => row.name) });
    look.sides = sides;
    classes.forEach(({ images }, n) => wanted[n].take(images, version));
    if (!element.querySelector(".tile[tabindex='0']")) element.querySelector(".tile")?.setAttribute("tabindex", 0);
    came();
  }

  function makeRow(name) {
    const facts = h("p.facts", {});
    const images = h("div.images", { role: "group", "aria-label": `Distilled images of ${name}` });
    const row = { name, version: -1, isNear: false, images: null };
    row.element = h(
      "section.set-row",
      { data: { name }, "aria-label": name },
      h("div.who", {}, h("h3", { title: name }, name), facts),
      images,
    );
    row.near = (near) => {
      row.isNear = near;
      if (near) row.paint();
      else if (rows.size > FEW && element.offsetParent) row.leave();
    };
    row.take = (taken, version) => {
      row.images = taken;
      row.version = version;
      row.paint();
    };
    row.leave = () => {
      images.style.minHeight = `${images.offsetHeight}px`;
      fill(images);
    };
    row.paint = () => {
      if (!row.images) {
        images.style.minHeight = `${heightOf(images, app.store.state.select.ipc, SIDES[look.size])}px`;
        return;
      }
      if (!row.isNear && !images.children.length) return;
      images.style.minHeight = "";
      paintImages(app, images, row, look, choose);
    };
    row.figures = (one) => showFacts(facts, one);
    if (told.has(name)) row.figures(told.get(name));
    return row;
  }

  /** Mark the cells of the chosen image. */
  function mark(className, id) {
    for (const tile of element.querySelectorAll(".tile"))
      tile.setAttribute("aria-current", String(tile.piece?.id === id && tile.name_ === className));
  }

  function figures(found) {
    for (const one of found) {
      told.set(one.name, one);
      rows.get(one.name)?.figures(one);
    }
  }
}

function heightOf(place, count, side) {
  const across = Math.max(1, Math.floor(((place.clientWidth || 600) + GAP) / (side + GAP)));
  return Math.ceil(count / across) * (side + GAP);
}

function showFacts(place, { images, short, clusters, clusters_covered: covered, spread, near_duplicates: near }) {
  fill(
    place,
    h(
      "span",
      { className: short ? "short" : "" },
      short ? `${images} of ${images + short} images` : plural(images, "image"),
    ),
    h("span", {}, `${covered} of ${plural(clusters, "cluster")}`),
    h("span", {}, `spread ${number(spread)}`),
    near > 0 && h("span.short", {}, plural(near, "near-duplicate")),
  );
}

function paintImages(app, place, row, look, choose) {
  const { images, name } = row;
  if (!images.length) {
    fill(place, h("p.soft.none", {}, "No patches: this class has no scored images that are not banned."));
    return;
  }
  place.querySelector(".none")?.remove();
  while (place.children.length > images.length) place.lastChild.remove();
  while (place.children.length < images.length) place.append(makeImage(app, choose));
  images.forEach((pieces, n) => place.children[n].show(name, pieces, n, look));
}

/** One distilled image: its patches row by row, as they are composed. */
function makeImage(app, choose) {
  const element = h("div.mosaic", {});
  element.show = (name, pieces, place, { sides, size }) => {
    const columns = sides.map((side) => `${side}fr`).join(" ");
    element.style.setProperty("--columns", columns);
    element.classList.toggle("joined", pieces.length > 1);
    while (element.children.length > pieces.length) element.lastChild.remove();
    while (element.children.length < pieces.length) element.append(makeTile(app, choose));
    pieces.forEach((piece, n) =>
      element.children[n].show(name, piece, place, SIDES[size] / sides.length, pieces.length > 1 ? n + 1 : 0),
    );
  };
  return element;
}

function makeTile(app, choose) {
  const crop = makeCrop(app);
  const mark = h("span.by-hand", { "aria-hidden": "true" });
  const tile = h(
    "button.tile",
    { type: "button", tabIndex: -1, onclick: () => choose(tile.name_, tile.piece, tile) },
    crop.element,
    mark,
  );
  tile.show = (name, piece, place, side, part) => {
    Object.assign(tile, { name_: name, piece });
    crop.show(name, piece, side);
    const hand = [piece.pinned && "pinned", piece.moved && "moved"].filter(Boolean).join(", ");
    mark.textContent = side < 56 ? "" : hand;
    tile.classList.toggle("decided", Boolean(hand));
    const words = `image ${place + 1}${part ? `, part ${part}` : ""}: ${piece.id}, score ${number(piece.score)}, cluster ${piece.cluster + 1}, rank ${piece.rank + 1}${hand && `, ${hand}`}`;
    tile.title = words;
    tile.setAttribute("aria-label", words);
    const { class_name: chosen, image_id: id } = app.store.state;
    tile.setAttribute("aria-current", String(piece.id === id && name === chosen));
  };
  return tile;
}

/** One cell of all is a stop of the Tab key; arrows lead to the others. */
export function rove(element, target) {
  for (const one of element.querySelectorAll(".tile[tabindex='0']")) one.tabIndex = -1;
  target.tabIndex = 0;
}

/** The cell that an arrow leads to from another one. */
export function neighbour(cells, from, key) {
  const at = cells.indexOf(from);
  if (key === "ArrowLeft") return cells[at - 1];
  if (key === "ArrowRight") return cells[at + 1];
  const { left, width, top, bottom } = from.getBoundingClientRect();
  const middle = left + width / 2;
  const down = key === "ArrowDown";
  let best = null;
  for (const one of down ? cells.slice(at + 1) : cells.slice(0, Math.max(at, 0)).reverse()) {
    const box = one.getBoundingClientRect();
    if (down ? box.top < bottom - 1 : box.bottom > top + 1) continue;
    const line = down ? box.top : -box.bottom;
    if (best && line > best.line + 2) break;
    const off = Math.abs(box.left + box.width / 2 - middle);
    if (!best || off < best.off) best = { one, off, line };
  }
  return best?.one;
}
