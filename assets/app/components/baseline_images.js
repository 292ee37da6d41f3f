// Distilled images without pixels of their own: patches cut from stored pictures by style alone.

import { empty, fill, h } from "../lib/dom.js";

const SHARP = 48;

/** A grid of distilled images; `show(answer, images)` takes boxes, `mark(id)` the chosen image. */
export function createCrops(app, label) {
  const element = h("ol.crops", { "aria-label": `Distilled images: ${label}` });
  return { element, show, mark };

  function show({ ids, sizes }, images) {
    if (!images.length) {
      fill(element, h("li", {}, empty("Nothing to show")));
      return;
    }
    element.querySelector(".empty")?.parentElement.remove();
    while (element.children.length > images.length) element.lastChild.remove();
    while (element.children.length < images.length) element.append(h("li.distilled"));
    const sharp = ids.length <= SHARP;
    images.forEach((patches, n) => showImage(element.children[n], n, patches, { ids, sizes, sharp }));
  }

  function showImage(item, n, patches, { ids, sizes, sharp }) {
    while (item.children.length > patches.length) item.lastChild.remove();
    while (item.children.length < patches.length) item.append(makeCrop(app));
    item.style.setProperty("--factor", Math.round(Math.sqrt(patches.length)));
    patches.forEach(([place, ...box], k) =>
      item.children[k].show({ id: ids[place], size: sizes[place], box, sharp, words: `${label}, image ${n + 1}` }),
    );
  }

  function mark(id) {
    for (const crop of element.querySelectorAll(".crop"))
      crop.setAttribute("aria-current", String(crop.dataset.id === id));
  }
}

function makeCrop(app) {
  const picture = h("img", { alt: "", draggable: false });
  const crop = h(
    "button.crop",
    { type: "button", onclick: () => app.store.go({ image_id: crop.dataset.id }) },
    picture,
  );
  crop.show = ({ id, size: [width, height], box: [x, y, w, tall], sharp, words }) => {
    const place = { width: width / w, height: height / tall, left: -x / w, top: -y / tall };
    for (const [name, share] of Object.entries(place)) picture.style[name] = `${100 * share}%`;
    crop.dataset.id = id;
    crop.title = id;
    crop.setAttribute("aria-label", `${words}, of ${id}`);
    load(app, picture, id, sharp);
  };
  return crop;
}

/** The thumbnail at once, and then, where they are not too many, the picture as the prior saw it. */
function load(app, picture, id, sharp) {
  const { run, class_name: name } = app.store.state;
  const key = JSON.stringify([run, name, id, sharp]);
  if (picture.dataset.key === key) return;
  picture.dataset.key = key;
  const kinds = sharp ? ["thumbnail", "proxy"] : ["thumbnail"];
  const put = (kind) =>
    app.pictures.url(kind, run, name, id).then(
      (url) => picture.dataset.key === key && (picture.src = url),
      () => {},
    );
  kinds.reduce((before, kind) => before.then(() => put(kind)), Promise.resolve());
}
