"use strict";
// Tiles come as scripts, because a page opened from a folder may read nothing else of that folder.
window.gx = (() => {
  const waiting = new Map();
  const KEEP = 64;

  function put(key, text) {
    const wait = waiting.get(key);
    if (wait) wait.resolve(text);
  }

  // The text of one script, which calls gx.put(key, text).
  function fetchText(key) {
    const wait = waiting.get(key);
    if (wait) return wait.promise;
    const entry = {};
    entry.promise = new Promise((resolve, reject) => Object.assign(entry, { resolve, reject }));
    waiting.set(key, entry);
    const script = document.createElement("script");
    script.src = `${key}.js`;
    const done = () => { script.remove(); waiting.delete(key); };
    script.onload = () => { done(); entry.reject(new Error(`${key}.js holds another tile`)); };
    script.onerror = () => { done(); entry.reject(new Error(`${key}.js is missing`)); };
    document.head.append(script);
    return entry.promise;
  }

  async function inflate(text) {
    const raw = atob(text);
    const bytes = new Uint8Array(raw.length);
    for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }

  function integers(bytes, start, count, width) {
    if (width === 1) return bytes.subarray(start, start + count);
    const values = new Uint32Array(count);
    for (let b = 0; b < width; b++) {
      const plane = bytes.subarray(start + b * count, start + (b + 1) * count);
      for (let i = 0; i < count; i++) values[i] |= plane[i] << (8 * b);
    }
    return values;
  }

  // Width and height of a tile; level 0 is the finest.
  function size(level, column, row) {
    const side = gx.scene.tile;
    const cut = (whole, place) => Math.min(side, Math.ceil(whole / 2 ** level) - place * side);
    return { width: cut(gx.scene.width, column), height: cut(gx.scene.height, row) };
  }

  async function readMap(level, column, row) {
    const bytes = await inflate(await fetchText(`tiles/map/${level}/${column}_${row}`));
    const { width, height } = size(level, column, row);
    const count = width * height, wide = gx.scene.bytes;
    const label = integers(bytes, 0, count, wide);
    const site = integers(bytes, wide * count, count, wide);
    for (let i = 0; i < count; i++) site[i] ^= label[i];
    return { width, height, label, site, state: integers(bytes, 2 * wide * count, count, 1) };
  }

  // The codes of a group of measured maps, plane by plane.
  async function readValues(group, level, column, row) {
    return inflate(await fetchText(`tiles/${group}/${level}/${column}_${row}`));
  }

  // The last tiles read, each kept as a promise, so that two who ask for one read it once.
  const kept = new Map();
  function get(group, level, column, row) {
    const key = `${group}/${level}/${column}_${row}`;
    let tile = kept.get(key);
    kept.delete(key);
    if (!tile) {
      tile = group === "map" ? readMap(level, column, row) : readValues(group, level, column, row);
      tile.catch(() => kept.delete(key));
    }
    kept.set(key, tile);
    if (kept.size > KEEP) kept.delete(kept.keys().next().value);
    return tile;
  }

  return { put, fetchText, inflate, integers, get };
})();
