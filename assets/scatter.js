// Turns a click on a point of the plot beside `element` into this panel's select event: gr.Plot has
// no event for it. Runs after panel.js, in the same function.

const plane = element.closest("#plane");

const listen = () => {
  for (const plot of plane.querySelectorAll(".js-plotly-plot")) {
    if (plot.dataset.listens || !plot.on) continue;
    plot.dataset.listens = "yes";
    plot.on("plotly_click", ({ points }) => {
      const key = points[0]?.customdata;
      if (key) trigger("select", { key });
    });
  }
};

new MutationObserver(listen).observe(plane, { childList: true, subtree: true });
listen();
