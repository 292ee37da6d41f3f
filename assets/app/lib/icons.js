// Icons: paths of a 24 x 24 grid, drawn as lines.

export const ICONS = {
  left: "M15 5l-7 7 7 7",
  right: "M9 5l7 7-7 7",
  undo: ["M8 5L4 9l4 4", "M4 9h10a6 6 0 0 1 0 12h-3"],
  redo: ["M16 5l4 4-4 4", "M20 9H10a6 6 0 0 0 0 12h3"],
  link: ["M10 14a4 4 0 0 0 6 .5l3-3a4 4 0 0 0-5.7-5.7l-1 1", "M14 10a4 4 0 0 0-6-.5l-3 3a4 4 0 0 0 5.7 5.7l1-1"],
  help: ["M9 9a3 3 0 1 1 4 2.8c-.7.3-1 .8-1 1.7", "M12 17v.01"],
  sun: ["M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8z", "M12 2v3M12 19v3M2 12h3M19 12h3M5 5l2 2M17 17l2 2M5 19l2-2M17 7l2-2"],
  close: "M6 6l12 12M18 6L6 18",
  pin: ["M9 4h6l-1 6 3 3v2H7v-2l3-3z", "M12 15v6"],
  ban: ["M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18z", "M6 6l12 12"],
  sliders: "M4 7h9M17 7h3M4 12h3M11 12h9M4 17h9M17 17h3M15 5v4M9 10v4M15 15v4",
  reset: ["M5 5v5h5", "M5.5 10A7.5 7.5 0 1 1 5 14"],
  copy: ["M9 9h11v11H9z", "M15 5H4v11h2"],
  download: ["M12 4v11", "M7 11l5 5 5-5", "M4 20h16"],
  swap: ["M4 8h13l-3-3", "M20 16H7l3 3"],
  check: "M5 13l4 4L19 7",
  fold: ["M4 5h16v14H4z", "M9 5v14", "M16 9l-3 3 3 3"],
  compact: ["M4 9h16M4 15h16", "M12 2v4M9 4l3 3 3-3", "M12 22v-4M9 20l3-3 3 3"],
};
