// Inspect: the class's patches on the left, and the chosen image's whole explanation beside them.

import { createGallery, markChosen } from "../components/gallery.js";
import { createDetail } from "../components/image_detail.js";
import { fill, h, plural, stylesheet } from "../lib/dom.js";
import { unmove } from "../lib/overrides.js";

stylesheet(new URL("./inspect.css", import.meta.url));

const SHOWN_BY = ["run", "class_name", "select"];

export const tab = {
  mount(root, app) {
    const { store } = app;
    const gallery = createGallery(app);
    const detail = createDetail(app, { step });
    const notice = h("div.misplaced", { hidden: true, role: "alert" });
    gallery.element.addEventListener("patch", (event) => detail.want(event.detail));
    fill(root, h("div.inspect", {}, gallery.element, h("div.told", {}, notice, detail.element)));
    const keys = {
      ArrowLeft: () => step(-1),
      ArrowRight: () => step(1),
      k: () => step(-1),
      j: () => step(1),
      p: () => detail.pin(),
      b: () => detail.ban(),
    };
    let following = false;
    return { show, hide };

    async function show(change) {
      for (const [key, does] of Object.entries(keys)) app.keys.set(key, does);
      const anew = SHOWN_BY.some((key) => change.has(key));
      if (!anew && !change.has("image_id")) return;
      markChosen(gallery.element, store.state.image_id);
      const holding = following ? store.state.image_id : "";
      following = false;
      const listed = anew || (holding && !gallery.holds(holding)) ? gallery.show({ holding }) : null;
      try {
        await Promise.all([listed, detail.show(change)]);
        notice.hidden = true;
      } catch (error) {
        if (!(await offerToUnmove())) throw error;
      }
    }

    function hide() {
      for (const [key, does] of Object.entries(keys)) if (app.keys.get(key) === does) app.keys.delete(key);
    }

    /** Go to the image before or after the shown one in the ranking; the gallery's page follows. */
    function step(by) {
      const { before, after } = detail.around();
      const next = by < 0 ? before : after;
      if (!next) return;
      following = true;
      store.go({ image_id: next });
    }

    /** Moved boxes may reach beyond their pictures once patches are larger: say so, and offer a way on. */
    async function offerToUnmove() {
      if (!store.state.select.moves.length) return false;
      const ids = await app.ask("misplaced").catch(() => []);
      if (!ids.length) return false;
      const named =
        ids.length === 1
          ? `The box of ${ids[0]}, moved by hand, reaches`
          : `${plural(ids.length, "box", "boxes")}, moved by hand, reach`;
      const button = h(
        "button.button",
        { type: "button", onclick: () => unmove(store, ids) },
        ids.length === 1 ? "Back to its best box" : "Back to their best boxes",
      );
      fill(
        notice,
        h(
          "div.notice",
          {},
          h("p", {}, `${named} beyond the picture at this patch size. What is shown is from before.`),
          button,
        ),
      );
      notice.hidden = false;
      return true;
    }
  },
};
