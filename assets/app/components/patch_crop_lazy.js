// A patch alone: the part of an image's thumbnail inside its box.

import { h } from "../lib/dom.js";

/** An element that shows one patch at a time: `crop.show({ id, box, size })`; it loads when seen. */
export function makeCrop(app) {
  const picture = h("img", { alt: "", draggable: false });
  const element = h("span.crop", {}, picture);
  let wanted = "";
  element.show = ({ id, box: [x, y, width, height], size: [wide, high] }) => {
    Object.assign(picture.style, {
      width: `${(100 * wide) / width}%`,
      height: `${(100 * high) / height}%`,
      left: `${(-100 * x) / width}%`,
      top: `${(-100 * y) / height}%`,
    });
    const { run, class_name: name } = app.store.state;
    const key = JSON.stringify([run, name, id]);
    if (wanted === key) return;
    wanted = key;
    picture.removeAttribute("src");
    whenSeen(element, () => wanted === key && load(run, name, id, key));
  };
  return element;

  function load(run, name, id, key) {
    app.pictures.url("thumbnail", run, name, id).then(
      (url) => wanted === key && (picture.src = url),
      () => {},
    );
  }
}

const does = new WeakMap();
const watcher = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) continue;
      watcher.unobserve(target);
      does.get(target)?.();
    }
  },
  { rootMargin: "200px" },
);

function whenSeen(element, work) {
  does.set(element, work);
  watcher.unobserve(element);
  watcher.observe(element);
}
