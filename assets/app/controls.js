import { empty, fill } from "./dom.js";

export const tab = {
  mount(root) {
    return { show: () => fill(root, empty("Not there yet")) };
  },
};
