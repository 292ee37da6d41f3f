import { createGallery, markChosen } from "./gallery.js";
import { fill, h } from "./dom.js";

export const tab = {
  mount(root, app) {
    const gallery = createGallery(app);
    const detail = h("section.detail", { "aria-label": "Chosen image" });
    fill(root, h("div.split", {}, gallery.element, detail));
    return {
      async show(change) {
        markChosen(gallery.element, app.store.state.image_id);
        await Promise.all([change.size > 1 || !change.has("image_id") ? gallery.show() : null]);
      },
    };
  },
};
