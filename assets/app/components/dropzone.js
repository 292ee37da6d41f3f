// A place to drop a file on or to choose one with, and the way of that file to the app.

import { bytes, h, percent } from "../lib/dom.js";

/** A drop zone; `kinds` are suffixes, `most` the bytes of a file at most, `changed` is told of a new file. */
export function createZone(app, { label, kinds, most, preview = false, changed }) {
  const own = { file: null, path: "", url: "", request: null };
  const input = h("input.zone-input", {
    type: "file",
    accept: kinds.join(","),
    "aria-label": label,
    onchange: () => take(input.files[0]),
  });
  const image = h("img", {
    alt: "",
    hidden: true,
    onerror: () => {
      image.hidden = true;
    },
  });
  const title = h("span.zone-title", {}, label);
  const note = h("span.soft", {}, `or click to choose it · at most ${bytes(most)}`);
  const zone = h("label.zone", {}, input, image, h("span.zone-words", {}, title, note));
  const bar = h("progress", { max: 1, "aria-label": "Upload" });
  const said = h("span.soft");
  const stop = h("button.quiet", { type: "button", onclick: () => own.request?.abort() }, "Stop the upload");
  const going = h("div.upload", { hidden: true }, bar, h("p.job-line", {}, said, stop));
  const problem = h("p.notice.bad", { hidden: true, role: "alert" });
  listen();
  return { element: h("div.dropping", {}, zone, problem, going), input, file: () => own.file, take, send };

  function listen() {
    const over = (on) => (event) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      zone.classList.toggle("over", on);
    };
    for (const name of ["dragenter", "dragover"]) zone.addEventListener(name, over(true));
    zone.addEventListener("dragleave", over(false));
    zone.addEventListener("drop", (event) => {
      over(false)(event);
      if (event.dataTransfer?.files.length) take(event.dataTransfer.files[0]);
    });
  }

  function take(file) {
    if (!file) return;
    const wrong = whatIsWrong(file, kinds, most);
    problem.hidden = !wrong;
    problem.textContent = wrong;
    URL.revokeObjectURL(own.url);
    own.request?.abort();
    Object.assign(own, {
      file: wrong ? null : file,
      path: "",
      url: preview && !wrong ? URL.createObjectURL(file) : "",
    });
    image.hidden = !own.url;
    if (own.url) image.src = own.url;
    title.textContent = wrong ? label : file.name;
    title.title = wrong ? "" : file.name;
    note.textContent = wrong
      ? `or click to choose it · at most ${bytes(most)}`
      : `${bytes(file.size)} · drop or choose another`;
    zone.classList.toggle("full", !wrong);
    changed();
  }

  /** Upload the file, unless that was done; its path at the app. */
  async function send() {
    if (!own.file) throw new Error(`${label} first`);
    if (own.path) return own.path;
    const { file } = own;
    const path = await upload();
    if (own.file !== file) throw new Error("Another file was chosen meanwhile: press the button again.");
    own.path = path;
    return path;
  }

  function upload() {
    const { file } = own;
    going.hidden = false;
    progress(0);
    const request = (own.request = new XMLHttpRequest());
    const form = new FormData();
    form.append("files", file, file.name);
    return new Promise((resolve, reject) => {
      const fail = (text) => reject(new Error(text));
      request.upload.onprogress = (event) => event.lengthComputable && progress(event.loaded / event.total);
      request.onabort = () => fail("The upload was stopped.");
      request.onerror = () => fail("The upload failed: is the app still running?");
      request.onload = () =>
        request.status === 200 ? resolve(JSON.parse(request.responseText)[0]) : fail(refusal(request.status, most));
      request.open("POST", app.base.replace(/file=$/, "upload"));
      request.send(form);
    }).finally(() => {
      going.hidden = true;
      own.request = null;
    });
  }

  function progress(share) {
    bar.value = share;
    said.textContent = share < 1 ? `Uploading · ${percent(share, 2)}` : "Uploaded, being stored …";
  }
}

function whatIsWrong({ name, size }, kinds, most) {
  if (!kinds.some((kind) => name.toLowerCase().endsWith(kind))) return `${name} is none of ${kinds.join(", ")}.`;
  if (!size) return `${name} is empty.`;
  return size > most ? `${name} has ${bytes(size)}; at most ${bytes(most)} can be uploaded here.` : "";
}

function refusal(status, most) {
  return status === 413 ? `The app takes at most ${bytes(most)}.` : `The upload failed (HTTP ${status}).`;
}
