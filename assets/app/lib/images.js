// Pictures of a run by image id: asked for in batches, kept as blob URLs, the longest unused let go.

const BATCH = 50;
const MOST = { thumbnail: 4000, proxy: 300 };

/** `pictures.url(kind, run, class_name, id)` -> Promise of a URL. */
export function createPictures(ask) {
  const kept = new Map();
  const waiting = new Map();

  function url(kind, run, className, id) {
    const key = JSON.stringify([kind, run, className, id]);
    const found = kept.get(key);
    if (found) {
      kept.delete(key);
      kept.set(key, found);
      return found;
    }
    const promise = new Promise((resolve, reject) => enqueue(kind, run, className, { id, resolve, reject }));
    promise.catch(() => kept.delete(key));
    kept.set(key, promise);
    forget(kind);
    return promise;
  }

  function enqueue(kind, run, className, wanted) {
    const line = JSON.stringify([kind, run, className]);
    if (!waiting.has(line)) {
      waiting.set(line, []);
      queueMicrotask(() => fetchLine(kind, run, className, line));
    }
    waiting.get(line).push(wanted);
  }

  function fetchLine(kind, run, className, line) {
    const wanted = waiting.get(line);
    waiting.delete(line);
    for (let start = 0; start < wanted.length; start += BATCH) {
      fetchBatch(kind, run, className, wanted.slice(start, start + BATCH));
    }
  }

  async function fetchBatch(kind, run, className, wanted) {
    const view = new URLSearchParams({ class: className }).toString();
    try {
      const files = await ask("pictures", { run, view, kind, ids: wanted.map((one) => one.id) });
      for (const one of wanted) one.resolve(blobUrl(files[one.id]));
    } catch (error) {
      for (const one of wanted) one.reject(error);
    }
  }

  function forget(kind) {
    const prefix = JSON.stringify([kind]).slice(0, -1);
    const mine = [...kept.keys()].filter((key) => key.startsWith(prefix));
    for (const key of mine.slice(0, Math.max(0, mine.length - MOST[kind]))) {
      kept.get(key).then(URL.revokeObjectURL, () => {});
      kept.delete(key);
    }
  }

  return { url };
}

/** Bytes in base64. */
export function decode(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

function blobUrl(text) {
  return URL.createObjectURL(new Blob([decode(text)], { type: "image/webp" }));
}
