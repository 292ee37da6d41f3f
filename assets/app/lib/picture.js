// Pictures to save: a title, panels of an image with its map and boxes, and the scale, as SVG or PNG.

import { saveFile } from "./saving.js";

const PANEL = 480;
const GAP = 24;
const MARGIN = 24;
const TITLE = 20;
const TEXT = 14;
const LINE = 20;
const BAR = 14;
/** Pixels of a PNG for each unit of the drawing, so that it is sharp in print. */
const DENSITY = 2;
const FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif";
/** Letters of a line of text that fit in so many units, on average. */
const PER_LETTER = 0.52;

/**
 * @typedef {object} Mark a box in pixels of the image
 * @property {Box} box
 * @property {string} [tag]
 * @property {string} [color]
 * @property {boolean} [dashed]
 */
/**
 * @typedef {object} Panel
 * @property {string} caption
 * @property {string} image a data URL
 * @property {string} map a data URL, or "" for none
 * @property {boolean} smooth whether cells of the map blend into each other
 * @property {number} opacity
 * @property {Size} size of the image in pixels
 * @property {Mark[]} marks
 */
/**
 * @typedef {object} Scale
 * @property {[share: number, color: string][]} stops
 * @property {string[]} ticks from the low end to the high end
 * @property {string} caption
 */
/**
 * @typedef {object} Drawing
 * @property {string} title
 * @property {string[]} lines below the title
 * @property {Panel[]} panels
 * @property {Scale | null} scale
 * @property {{ ink: string, soft: string, surface: string }} theme
 */

/**
 * Return a drawing as an SVG file that contains everything it shows, and its size.
 * @param {Drawing} drawing
 * @returns {{ text: string, width: number, height: number }}
 */
export function svgOf({ title, lines, panels, scale, theme }) {
  const width = 2 * MARGIN + panels.length * PANEL + (panels.length - 1) * GAP;
  const inner = width - 2 * MARGIN;
  /** @type {string[]} */
  const parts = [];
  let y = MARGIN + TITLE;
  for (const line of wrapped(title, inner, TITLE)) {
    parts.push(text(MARGIN, y, line, { size: TITLE, fill: theme.ink, weight: 650 }));
    y += TITLE + 6;
  }
  for (const line of lines.flatMap((one) => wrapped(one, inner, TEXT))) {
    parts.push(text(MARGIN, y, line, { size: TEXT, fill: theme.soft }));
    y += LINE;
  }
  const tall = Math.max(...panels.map((one) => fitted(one.size)[1]));
  parts.push(...panels.map((panel, n) => panelOf(panel, MARGIN + n * (PANEL + GAP), y, theme)));
  y += tall + (panels.some((one) => one.caption) ? LINE + 8 : 0) + 16;
  if (scale) {
    parts.push(scaleOf(scale, MARGIN, y, Math.min(inner, PANEL), theme));
    y += BAR + LINE;
    for (const line of wrapped(scale.caption, inner, TEXT)) {
      y += LINE;
      parts.push(text(MARGIN, y - 4, line, { size: TEXT, fill: theme.soft }));
    }
  }
  const height = y + MARGIN;
  const look = `width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="${FONT}"`;
  const open = `<svg xmlns="http://www.w3.org/2000/svg" ${look}>`;
  const ground = `<rect width="${width}" height="${height}" fill="${theme.surface}"/>`;
  return { text: `${open}<title>${escaped(title)}</title>${ground}${parts.join("")}</svg>`, width, height };
}

/**
 * Save a drawing; the file's name gets the ending of its kind.
 * @param {Drawing} drawing
 * @param {"png" | "svg"} kind
 * @param {string} name
 */
export async function savePicture(drawing, kind, name) {
  const svg = svgOf(drawing);
  const file = new Blob([svg.text], { type: "image/svg+xml" });
  saveFile(kind === "svg" ? file : await pngOf(svg), `${name}.${kind}`);
}

/** @param {{ text: string, width: number, height: number }} svg */
async function pngOf({ text: content, width, height }) {
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(content)}`;
  await image.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width * DENSITY, height * DENSITY];
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("The picture could not be drawn."))), "image/png");
  });
}

/**
 * Return a file of this page, such as a blob URL, as a data URL.
 * @param {string} url
 * @returns {Promise<string>}
 */
export async function dataUrl(url) {
  const blob = await (await fetch(url)).blob();
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
}

/**
 * @param {Size} size
 * @returns {Size}
 */
function fitted([width, height]) {
  const scale = PANEL / Math.max(width, height);
  return [width * scale, height * scale];
}

/**
 * @param {Panel} panel
 * @param {number} x
 * @param {number} y
 * @param {Drawing["theme"]} theme
 */
function panelOf({ caption, image, map, smooth, opacity, size, marks }, x, y, theme) {
  const [width, height] = fitted(size);
  const at = `x="${x}" y="${y}" width="${round(width)}" height="${round(height)}" preserveAspectRatio="none"`;
  const sharp = smooth ? "" : ' style="image-rendering:pixelated"';
  const layers = [
    `<image ${at} href="${image}"/>`,
    map && `<image ${at} href="${map}" opacity="${round(opacity)}"${sharp}/>`,
  ];
  const boxes = marks.map((mark) => markOf(mark, [x, y], width / size[0]));
  const words = caption && text(x, y + height + LINE, caption, { size: TEXT, fill: theme.ink, weight: 600 });
  return [...layers, ...boxes, words].filter(Boolean).join("");
}

/**
 * @param {Mark} mark
 * @param {[number, number]} corner
 * @param {number} scale
 */
function markOf({ box, tag, color = "#ffffff", dashed = false }, [left, top], scale) {
  const [x, y, width, height] = box.map((side) => side * scale);
  const place = `x="${round(left + x)}" y="${round(top + y)}"`;
  const dashes = dashed ? ' stroke-dasharray="7 5"' : "";
  const frame = `<rect ${place} width="${round(width)}" height="${round(height)}" fill="none"${dashes}`;
  const label =
    tag &&
    `<rect ${place} width="20" height="18" fill="#0c121c" fill-opacity="0.78"/>` +
      text(left + x + 6, top + y + 14, tag, { size: 13, fill: "#ffffff" });
  const outline = `${frame} stroke="#000000" stroke-opacity="0.7" stroke-width="5"/>`;
  return `${outline}${frame} stroke="${color}" stroke-width="2.5"/>${label || ""}`;
}

/**
 * @param {Scale} scale
 * @param {number} x
 * @param {number} y
 * @param {number} width
 * @param {Drawing["theme"]} theme
 */
function scaleOf({ stops, ticks }, x, y, width, theme) {
  const colors = stops.map(([share, color]) => `<stop offset="${round(share)}" stop-color="${color}"/>`).join("");
  const anchors = ["start", "middle", "end"];
  const labels = ticks.map((tick, n) => {
    const share = ticks.length > 1 ? n / (ticks.length - 1) : 0;
    const anchor = share === 0 ? anchors[0] : share === 1 ? anchors[2] : anchors[1];
    return text(x + share * width, y + BAR + 16, tick, { size: TEXT, fill: theme.ink, anchor });
  });
  return (
    `<defs><linearGradient id="scale">${colors}</linearGradient></defs>` +
    `<rect x="${x}" y="${y}" width="${width}" height="${BAR}" rx="3" fill="url(#scale)"/>${labels.join("")}`
  );
}

/**
 * @param {number} x
 * @param {number} y
 * @param {string} content
 * @param {{ size: number, fill: string, weight?: number, anchor?: string }} look
 */
function text(x, y, content, { size, fill, weight = 400, anchor = "start" }) {
  const look = `font-size="${size}" font-weight="${weight}" fill="${fill}" text-anchor="${anchor}"`;
  return `<text x="${round(x)}" y="${round(y)}" ${look}>${escaped(content)}</text>`;
}

/**
 * Break a text into lines of about this width.
 * @param {string} content
 * @param {number} width
 * @param {number} size
 */
export function wrapped(content, width, size) {
  const most = Math.max(8, Math.floor(width / (size * PER_LETTER)));
  /** @type {string[]} */
  const lines = [];
  for (const word of content.split(/\s+/).filter(Boolean)) {
    const last = lines[lines.length - 1];
    if (last != null && last.length + 1 + word.length <= most) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}

/** @param {string} content */
function escaped(content) {
  /** @type {Record<string, string>} */
  const entities = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
  // Control characters are not allowed in XML.
  return content.replaceAll(/[&<>"']/g, (one) => entities[one]).replaceAll(/[^\P{Cc}\t]/gu, " ");
}

/** @param {number} value */
function round(value) {
  return Math.round(value * 100) / 100;
}
