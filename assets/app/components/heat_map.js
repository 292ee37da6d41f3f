// The chosen image, large: its picture, a map over it or in its place, its boxes, and a mark to read values at.

import { unpack } from "../lib/colors.js";
import { h, number } from "../lib/dom.js";

const DRAG_PX = 4;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const HELP = "Click or arrow keys: values of a cell. Drag the box, or Shift and arrow keys: move it by hand.";

/**
 * The image's plate. `read(x, y)` is told of a pixel to read, `move(x, y)` of the box's new corner.
 * `show(shown)` paints `{ answer, url, view, opacity, ends }`; `mark(cell)` sets the crosshair.
 */
export function createPlate(app, { read, move }) {
  const picture = h("img", { alt: "", draggable: false });
  const map = h("canvas", { "aria-hidden": "true" });
  const others = h("span.others", { "aria-hidden": "true" });
  const box = h("span.box.chosen");
  const cross = h("span.cross", { hidden: true, "aria-hidden": "true" });
  const tip = h("span.tip", { hidden: true, "aria-hidden": "true" });
  const shot = h("span.shot", {}, picture, map, others, cross, box, tip);
  const element = h(
    "div.plate",
    { tabIndex: 0, role: "application", "aria-label": "Chosen image", "aria-description": HELP, onkeydown: pressed },
    shot,
  );
  let shown = null;
  let gap = null;
  let cell = null;
  let drag = null;
  shot.addEventListener("pointerdown", grab);
  shot.addEventListener("pointermove", hover);
  shot.addEventListener("pointerup", drop);
  shot.addEventListener("pointercancel", () => {
    drag = null;
    if (shown) settle();
  });
  shot.addEventListener("pointerleave", () => (tip.hidden = true));
  return { element, show, mark };

  function show(next) {
    if (drag && shown?.answer.image_id !== next.answer.image_id) drag = null;
    shown = next;
    const { answer, url, view, opacity, ends } = next;
    const { proxy_width: width, proxy_height: height } = answer.frame;
    const most = Math.max(width, height);
    shot.style.setProperty("--w", width / most);
    shot.style.setProperty("--h", height / most);
    if (picture.src !== url) picture.src = url;
    element.setAttribute("aria-label", `Chosen image ${answer.image_id}, ${view.toLowerCase()}`);
    gap = unpack(answer.maps.gap);
    paintMap(view, opacity, ends);
    paintOthers(answer);
    if (!drag?.onBox) settle();
  }

  function paintMap(view, opacity, ends) {
    map.hidden = view === "Picture";
    map.classList.toggle("smooth", view === "Overlay");
    map.style.opacity = view === "Overlay" ? opacity : 1;
    if (map.hidden) return;
    // Weak evidence stays visible through the root; what is 0 lets the picture through.
    const alpha = view === "Overlay" ? (share) => Math.sqrt(share) : null;
    const scale = view === "Overlay" ? { low: -ends.high, high: ends.high } : ends;
    app.heat.draw(map, mapOf(shown.answer, view), scale, alpha);
  }

  function paintOthers({ explanation, frame }) {
    const at = explanation.patch?.box;
    const spans = explanation.best
      .map((one, n) => ({ ...one.box, n }))
      .filter((one) => !at || one.x !== at.x || one.y !== at.y)
      .map((one) => h("span.other", { style: place(one, frame) }, h("span.tag", {}, one.n + 1)));
    others.replaceChildren(...spans);
  }

  function settle() {
    box.classList.remove("dragged");
    const { explanation, frame } = shown.answer;
    box.hidden = !explanation.patch;
    if (explanation.patch) putBox(explanation.patch.box, frame);
    box.classList.toggle("fixed", !movable());
  }

  function putBox(one, frame) {
    for (const [name, value] of Object.entries(place(one, frame))) box.style.setProperty(name, value);
  }

  /** A move gives an image's best box another place; its further patches follow from it. */
  function movable() {
    return Boolean(shown?.answer.explanation.patch) && shown.movable;
  }

  function grab(event) {
    if (event.button || !shown) return;
    const start = pixelOf(event);
    const onBox = event.target === box && movable();
    drag = { onBox, start, from: [event.clientX, event.clientY], moved: false, to: null };
    if (onBox) shot.setPointerCapture(event.pointerId);
  }

  function hover(event) {
    if (!shown) return;
    const at = pixelOf(event);
    if (drag?.onBox) return pull(event, at);
    tip.hidden = event.pointerType === "touch";
    if (!tip.hidden) say(at, `gap ${number(gapAt(at))}`);
  }

  function pull(event, at) {
    const far = Math.hypot(event.clientX - drag.from[0], event.clientY - drag.from[1]);
    drag.moved ||= far > DRAG_PX;
    if (!drag.moved) return;
    const { explanation, frame } = shown.answer;
    const start = explanation.patch.box;
    drag.to = within({ ...start, x: start.x + at.x - drag.start.x, y: start.y + at.y - drag.start.y }, frame);
    box.classList.add("dragged");
    putBox(drag.to, frame);
    tip.hidden = false;
    say(at, `${drag.to.x}, ${drag.to.y} px`);
  }

  function drop() {
    if (!drag) return;
    const { moved, to, start } = drag;
    drag = null;
    box.classList.remove("dragged");
    if (moved && to) return move(to.x, to.y);
    mark(cellOf(start));
    read(start.x, start.y);
  }

  function say({ x, y }, text) {
    const { proxy_width: width, proxy_height: height } = shown.answer.frame;
    tip.textContent = text;
    tip.style.setProperty("--x", x / width);
    tip.style.setProperty("--y", y / height);
    tip.classList.toggle("left", x > width / 2);
  }

  function pressed(event) {
    const by = ARROWS[event.key];
    if (!by || !shown || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    if (event.shiftKey) return nudge(by);
    const { proxy_width: width, proxy_height: height } = shown.answer.frame;
    const [rows, columns] = gap.shape;
    const now = cell ?? { row: Math.floor(rows / 2), column: Math.floor(columns / 2) };
    const next = cell ? { row: clamp(now.row + by[1], rows - 1), column: clamp(now.column + by[0], columns - 1) } : now;
    // The mark goes ahead of the answer: the next key counts from here.
    mark(next);
    read(((next.column + 0.5) * width) / columns, ((next.row + 0.5) * height) / rows);
  }

  function nudge([x, y]) {
    if (!movable()) return;
    const { explanation, frame } = shown.answer;
    const to = within(
      { ...explanation.patch.box, x: explanation.patch.box.x + x, y: explanation.patch.box.y + y },
      frame,
    );
    if (to.x !== explanation.patch.box.x || to.y !== explanation.patch.box.y) move(to.x, to.y);
  }

  function mark(next) {
    cell = next;
    cross.hidden = !next;
    if (!next) return;
    const [rows, columns] = gap.shape;
    const style = { left: next.column / columns, top: next.row / rows, width: 1 / columns, height: 1 / rows };
    for (const [name, share] of Object.entries(style)) cross.style.setProperty(name, percentOf(share));
  }

  function pixelOf(event) {
    const frame = shot.getBoundingClientRect();
    const { proxy_width: width, proxy_height: height } = shown.answer.frame;
    const share = (value, start, length) => clamp((value - start) / length, 0.99999);
    return {
      x: share(event.clientX, frame.left, frame.width) * width,
      y: share(event.clientY, frame.top, frame.height) * height,
    };
  }

  function cellOf({ x, y }) {
    const { proxy_width: width, proxy_height: height } = shown.answer.frame;
    const [rows, columns] = gap.shape;
    return { row: Math.floor((y / height) * rows), column: Math.floor((x / width) * columns) };
  }

  function gapAt(at) {
    const { row, column } = cellOf(at);
    return gap.values[row * gap.shape[1] + column];
  }
}

/** The map of a view. */
export function mapOf(answer, view) {
  return unpack(answer.maps[view === "Overlay" ? "combined" : view.toLowerCase()]);
}

/** Where a box of proxy pixels lies on its picture, as CSS. */
export function place({ x, y, width, height }, frame) {
  const { proxy_width: across, proxy_height: down } = frame;
  return {
    left: percentOf(x / across),
    top: percentOf(y / down),
    width: percentOf(width / across),
    height: percentOf(height / down),
  };
}

/** The nearest box inside the picture with a corner of whole pixels. */
function within(box, { proxy_width: width, proxy_height: height }) {
  return { ...box, x: clamp(Math.round(box.x), width - box.width), y: clamp(Math.round(box.y), height - box.height) };
}

const clamp = (value, most) => Math.min(Math.max(value, 0), most);
const percentOf = (share) => `${100 * share}%`;
