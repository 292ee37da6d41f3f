// A view for the tests of the store and of links.

/** Default settings. */
export const DEFAULTS = {
  select: {
    patch_px: 0,
    ipc: 10,
    factor: 1,
    locate: "positive",
    smooth: 0,
    across: true,
    timesteps: [],
    pins: [],
    bans: [],
    moves: [],
  },
  export: { image_px: 0, file_format: "png", pixels: "auto" },
};

/** The view of a run as it opens; `select` are changed settings. */
export function viewOf(select = {}, written = {}) {
  return {
    class_name: "",
    image_id: "",
    tab: "",
    a: "",
    select: { ...DEFAULTS.select, ...select },
    export: { ...DEFAULTS.export, ...written },
  };
}
