// A patch as it looks, cut by the browser out of pictures that are there: a slider sends no pixels.

import { h } from "../lib/dom.js";

/** A frame that shows the part of a picture that a patch is: `show(class, piece, side_px)`. */
export function makeCrop(app) {
  const picture = h("img", { alt: "", draggable: false });
  const element = h("span.crop", {}, picture);
  let now = null;
  picture.addEventListener("load", sharpen);
  return { element, show, showWhole };

  /** Show a piece in a frame of so many CSS pixels. */
  function show(className, piece, side) {
    now = { className, piece, side };
    const {
      box: [x, y, width, height],
      size: [across, down],
    } = piece;
    const style = { width: across / width, height: down / height, left: -x / width, top: -y / height };
    for (const [name, share] of Object.entries(style)) picture.style.setProperty(name, `${100 * share}%`);
    load("thumbnail");
  }

  /** Show a whole picture by its id. */
  function showWhole(className, id) {
    now = { className, piece: { id }, side: 0 };
    element.classList.add("whole");
    load("thumbnail");
  }

  function load(kind) {
    const { className, piece } = now;
    const { run } = app.store.state;
    const key = JSON.stringify([run, className, piece.id]);
    if (picture.dataset.key === key && (picture.dataset.kind === "proxy" || picture.dataset.kind === kind))
      return sharpen();
    if (picture.dataset.key !== key) picture.removeAttribute("src");
    Object.assign(picture.dataset, { key, kind });
    app.pictures.url(kind, run, className, piece.id).then(
      (url) => picture.dataset.key === key && picture.dataset.kind === kind && (picture.src = url),
      () => {},
    );
    return undefined;
  }

  /** A thumbnail has few pixels inside a small box: the proxy takes its place where that shows. */
  function sharpen() {
    if (!now?.side || picture.dataset.kind !== "thumbnail" || !picture.naturalWidth || !picture.hasAttribute("src"))
      return;
    const {
      piece: { box, size },
      side,
    } = now;
    const there = (picture.naturalWidth * box[2]) / size[0];
    if (size[0] > picture.naturalWidth && there < 0.8 * side * devicePixelRatio) load("proxy");
  }
}
