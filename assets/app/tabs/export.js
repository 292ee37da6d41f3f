// Export: what the set comes to, its making, its download; and the command and link that mean the same.

import { createFormat } from "../components/export_form.js";
import { createCard } from "../components/job_card.js";
import { decidedWords } from "../components/overrides_dialog.js";
import { bytes, fill, h, icon, plural, stylesheet } from "../lib/dom.js";
import { ICONS } from "../lib/icons.js";
import { isActive } from "../lib/jobs.js";
import { queryOf } from "../lib/store.js";

stylesheet(new URL("../components/job_card.css", import.meta.url));
stylesheet(new URL("./export.css", import.meta.url));

const SHOWN_BY = ["run", "select", "export"];
const TREE = [
  ["train/", "one folder per class, with images only"],
  ["  CLASS/CLASS_id00000.png", "each class's first image, and so on"],
  ["classes.json", "the class order"],
  ["patches.parquet", "one row per patch: image, boxes, score, margin, cluster, rank"],
  ["manifest.json", "every setting, version and fingerprint; decisions by hand; where each pixel comes from"],
];

export const tab = {
  mount(root, app) {
    const format = createFormat(app);
    const summary = createSummary(app);
    const maker = createMaker(app);
    const sharing = createSharing(app);
    fill(
      root,
      h(
        "div.export",
        {},
        h(
          "section.card.make",
          { "aria-label": "Export" },
          h("h2", {}, "Export the distilled set"),
          format.element,
          summary.element,
          maker.element,
        ),
        sharing.element,
      ),
    );
    app.jobs.subscribe(maker.follow);
    return { show };

    async function show(change) {
      format.show();
      sharing.link();
      maker.follow();
      if (!SHOWN_BY.some((key) => change.has(key))) return;
      summary.wait();
      await Promise.all([look(), sharing.command()]);
    }

    /** Ask what the present settings give; what cannot be exported is said in their place. */
    async function look() {
      try {
        const found = await app.latest("export summary", () => app.ask("export_summary"));
        if (!found) return;
        summary.show(found);
        maker.allow(found);
      } catch (error) {
        summary.fail(error.message);
        maker.allow(null);
      }
    }
  },
};

/** What an export would give. */
function createSummary(app) {
  const tile = (word, title = "") => {
    const value = h("dd", {}, "–");
    return { value, element: h("div.tile-figure", { title }, h("dt", {}, word), value) };
  };
  const tiles = {
    images: tile("Images"),
    classes: tile("Classes"),
    files: tile("Files"),
    side: tile("Image size"),
    size: tile("Zip file"),
  };
  const notes = h("div.notices", { role: "status" });
  const problem = h("div.notices", { role: "alert" });
  const facts = h("div.facts-of-set");
  const element = h(
    "section.summary",
    { "aria-label": "What it gives" },
    h(
      "dl.tiles",
      {},
      Object.values(tiles).map((one) => one.element),
    ),
    facts,
    notes,
    problem,
  );
  return { element, wait, show, fail };

  function wait() {
    element.setAttribute("aria-busy", "true");
  }

  function show(found) {
    element.removeAttribute("aria-busy");
    fill(problem);
    const write = (name, text) => {
      tiles[name].value.textContent = text;
    };
    write("images", found.images.toLocaleString("en"));
    write("classes", found.classes.toLocaleString("en"));
    write("files", found.files.toLocaleString("en"));
    write("side", `${found.image_px} × ${found.image_px} px`);
    write("size", found.images ? `about ${bytes(found.bytes)}` : "–");
    tiles.size.element.title = found.images
      ? `An estimate: ${plural(found.sampled, "image")} ${found.sampled === 1 ? "was" : "were"} encoded for it.`
      : "";
    fill(facts, h("p", {}, pixelWords(found)), h("p", {}, handWords(app.store.state.select)));
    fill(notes, found.short.length > 0 && shortNotice(found.short, app.store.state.select.ipc));
  }

  function fail(text) {
    element.removeAttribute("aria-busy");
    for (const { value } of Object.values(tiles)) value.textContent = "–";
    fill(facts);
    fill(notes);
    fill(problem, h("div.notice.bad", {}, h("strong", {}, "The set cannot be exported with these settings: "), text));
  }
}

function pixelWords({ pixels, why }) {
  if (pixels === "source")
    return [h("strong", {}, "Pixels"), " are cut from the source's own pictures, at their full resolution."];
  return [
    h("strong", {}, "Pixels"),
    " are cut from the run's proxies, the pictures as the prior saw them",
    why ? `, since ${why.replace(/^.*?, since /, "")}.` : ".",
  ];
}

function handWords(select) {
  const words = decidedWords(select);
  return [
    h("strong", {}, "By hand"),
    words ? `: ${words}; the manifest lists them as overrides.` : ": nothing was decided.",
  ];
}

function shortNotice(short, ipc) {
  const lines = short.map((one) => h("li", {}, `${one.name} gives ${plural(one.images, "image")}.`));
  const help = h("p", {}, "A smaller IPC or more patches per image evens it out.");
  const head = h("strong", {}, `${plural(short.length, "class falls", "classes fall")} short of IPC ${ipc}`);
  if (short.length <= 2) return h("div.notice", {}, head, h("ul", {}, lines), help);
  return h(
    "details.notice",
    {},
    h(
      "summary",
      {},
      head,
      ": ",
      short
        .slice(0, 4)
        .map((one) => `${one.name} (${one.images})`)
        .join(", "),
      short.length > 4 ? ` and ${short.length - 4} more` : "",
    ),
    h("ul", {}, lines),
    help,
  );
}

/** The one button, the job that it begins, and its download. */
function createMaker(app) {
  const own = { found: null, newest: "" };
  const start = h(
    "button.primary.start",
    { type: "button", disabled: true, onclick: () => begin() },
    icon(ICONS.download),
    h("span", {}, "Export"),
  );
  const other = h("p.soft.other", { hidden: true }, "made with other settings than those shown");
  const cards = new Map();
  const latest = h("div.latest");
  const earlier = h("div.earlier-list");
  const more = h("details.earlier", { hidden: true }, h("summary", {}, "Earlier exports"), earlier);
  const element = h("div.maker", {}, h("div.start-line", {}, start), latest, more);
  return { element, allow, follow };

  function allow(found) {
    own.found = found;
    follow();
  }

  async function begin() {
    start.disabled = true;
    const made = present(app);
    const answer = await app.attempt(() => app.ask("export_start"));
    if (answer) await app.jobs.add("export", answer.token, { made });
    follow();
  }

  function follow() {
    const all = app.jobs.of("export");
    start.disabled = !own.found?.images || all.some((one) => isActive(one.report));
    start.lastChild.textContent = own.found ? `Export ${plural(own.found.images, "image")}` : "Export";
    for (const token of [...cards.keys()]) if (!all.some((one) => one.token === token)) cards.delete(token);
    for (const { token, report } of all) {
      if (!cards.has(token)) cards.set(token, createCard(app, { ended: (now) => download(app, now) }));
      cards.get(token).show(report);
    }
    const [first, ...rest] = all.map((one) => cards.get(one.token).element);
    other.hidden = !all.length || all[0].report.state !== "done" || all[0].made === present(app);
    place(latest, first ? [first, other] : []);
    place(earlier, rest);
    more.hidden = !rest.length;
  }
}

/** Put elements in a place, but leave it alone where they stand there already, so that focus stays. */
function place(element, children) {
  const stands = [...element.children];
  if (stands.length !== children.length || stands.some((one, n) => one !== children[n])) fill(element, children);
}

/** The settings that a zip follows from, and its run. */
function present({ store }) {
  const { run, select, export: written } = store.state;
  return `${run}?${queryOf({ select, export: written }, store.defaults)}`;
}

function download(app, { download: file }) {
  if (!file) return [];
  return [
    h(
      "a.primary",
      { href: `${app.base}${file.path}`, download: file.name },
      icon(ICONS.download),
      `Download ${file.name} (${bytes(file.bytes)})`,
    ),
  ];
}

/** The command and the link, each to be copied, and what the zip holds. */
function createSharing(app) {
  const command = createCode(app, "Command", "the command");
  const link = createCode(app, "Link to this view", "the link to this view");
  const about = h("p.hint");
  const secret = h("p.hint", {}, "Whoever has this link can open this run.");
  const tree = h(
    "dl.zip-tree",
    {},
    TREE.map(([name, text]) => [h("dt.code", {}, name), h("dd.soft", {}, text)]),
  );
  const element = h(
    "div.sharing",
    {},
    h(
      "section.card",
      { "aria-label": "The same on the command line" },
      h("h2", {}, "The same on the command line"),
      command.element,
      about,
    ),
    h(
      "section.card",
      { "aria-label": "A link to this view" },
      h("h2", {}, "A link to this view"),
      link.element,
      h("p.hint", {}, "All settings, decisions by hand, class and image are in it."),
      secret,
    ),
    h("section.card", { "aria-label": "What the zip holds" }, h("h2", {}, "What the zip holds"), tree),
  );
  return {
    element,
    link() {
      link.show([app.link()]);
      secret.hidden = !app.store.state.run;
    },
    async command() {
      const said = await app.latest("export commands", () => app.ask("export_commands")).catch(() => null);
      if (!said) return;
      command.show(said.command.split(/(?<= && )/));
      about.textContent = said.placeholder
        ? `${said.run} stands for the folder of this run. It writes the same zip, byte for byte.`
        : "It writes the same zip, byte for byte.";
    },
  };
}

/** A line of code that can be read, focused and copied. */
function createCode(app, label, what) {
  const text = h("code.code");
  const copy = h(
    "button.tool",
    {
      type: "button",
      title: `Copy ${what}`,
      "aria-label": `Copy ${what}`,
      onclick: () => app.copy(text.textContent, what),
    },
    icon(ICONS.copy),
  );
  const element = h(
    "div.code-line",
    {},
    h("div.code-block", { tabIndex: 0, role: "group", "aria-label": label }, text),
    copy,
  );
  return {
    element,
    show: (parts) =>
      text.textContent !== parts.join("") &&
      fill(
        text,
        parts.map((part) => h("span", {}, unbroken(part))),
      ),
  };
}

/** A command's options stay whole where its line is broken. */
function unbroken(text) {
  return text.split(/(?<= )(--[\w-]+)/).map((part, n) => (n % 2 ? h("b", {}, part) : part));
}
