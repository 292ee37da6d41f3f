// Draws a views.Panel into `element`, and again whenever the value changes. Gradio runs this file as
// the body of a function of (element, trigger, props, server, upload, watch).
// Text is set as text only: names come from the run and may hold anything.
// Nodes are used again, so that a slider move changes what has changed and nothing flickers.

const root = element;

const child = (parent, selector, tag = "div") => {
  const [name, ...classes] = selector.split(".");
  const found = parent.querySelector(`:scope > .${classes.join(".")}`);
  if (found) return found;
  const made = document.createElement(name || tag);
  made.className = classes.join(" ");
  return parent.appendChild(made);
};

const write = (parent, selector, text) => {
  const node = child(parent, selector);
  if (node.textContent !== text) node.textContent = text;
  node.hidden = !text;
};

const children = (parent, tag, items, fill) => {
  while (parent.children.length > items.length) parent.lastElementChild.remove();
  while (parent.children.length < items.length) parent.append(document.createElement(tag));
  items.forEach((item, at) => fill(parent.children[at], item));
  parent.hidden = !items.length;
};

const setSource = (image, src, alt) => {
  if (image.getAttribute("src") !== src) image.src = src;
  image.alt = alt;
};

const drawScale = (node, scale) => {
  node.hidden = !scale;
  if (!scale) return;
  setSource(child(node, "img.bar"), scale.src, "colour scale");
  children(child(node, "div.ticks"), "span", scale.ticks, (tick, text) => {
    tick.textContent = text;
  });
};

const place = (node, percents) => {
  const [left, top, width, height] = percents.map((percent) => `${percent}%`);
  Object.assign(node.style, { left, top, width, height });
};

// A picture that is not square is shown whole in the middle of its square frame.
const drawShot = (frame, figure) => {
  const shot = child(frame, "div.shot");
  const width = 100 * Math.min(1, figure.aspect);
  const height = 100 * Math.min(1, 1 / figure.aspect);
  place(shot, [(100 - width) / 2, (100 - height) / 2, width, height]);
  setSource(child(shot, "img.picture"), figure.src, figure.title || figure.caption);
  const outline = child(shot, "div.box");
  outline.hidden = !figure.box;
  if (figure.box) place(outline, figure.box);
};

const drawFigure = (node, figure) => {
  node.className = figure.selected ? "figure selected" : "figure";
  node.dataset.key = figure.key;
  node.title = figure.tip;
  if (node.tagName === "BUTTON") {
    node.type = "button";
    node.setAttribute("aria-pressed", String(figure.selected));
  }
  write(node, "div.name", figure.title);
  drawShot(child(node, "div.frame"), figure);
  const caption = child(node, "div.caption");
  caption.hidden = !figure.caption;
  write(caption, "span.words", figure.caption);
  write(caption, "span.group", figure.group < 0 ? "" : `group ${figure.group}`);
  caption.style.setProperty("--group", figure.colour);
  drawScale(child(node, "div.scale"), figure.scale);
};

const draw = () => {
  if (!props.value) return;
  const panel = JSON.parse(props.value);
  root.classList.add("drawn");
  const head = child(root, "div.head");
  write(head, "h2.title", panel.title);
  write(head, "div.note", panel.note);
  children(child(root, "dl.facts"), "div", panel.facts, (node, fact) => {
    write(node, "dt.fact", fact.name);
    write(node, "dd.value", fact.value);
  });
  write(root, "p.notice", panel.notice);
  const tag = props.selectable ? "button" : "div";
  children(child(root, "div.figures"), tag, panel.figures, drawFigure);
  write(root, "p.legend", panel.legend);
};

root.addEventListener("click", (event) => {
  const figure = event.target.closest("button.figure");
  if (figure) trigger("select", { key: figure.dataset.key });
});
watch("value", draw);
draw();
