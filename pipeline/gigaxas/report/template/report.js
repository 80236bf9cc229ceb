"use strict";
(() => {
  const $ = (selector) => document.querySelector(selector);
  const all = (selector) => [...document.querySelectorAll(selector)];
  document.documentElement.classList.add("live");

  // Sorting -----------------------------------------------------------------------------------------
  const table = $("#clusters");
  const heads = [...table.tHead.rows[0].cells];

  function sortBy(head) {
    const column = head.cellIndex;
    const text = head.classList.contains("text");
    const now = head.ariaSort || head.getAttribute("aria-sort");
    const up = now === "none" ? text : now === "descending";
    heads.forEach((other) => other.setAttribute("aria-sort", "none"));
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const value = (row) => row.cells[column].dataset.value;
    const order = text
      ? (a, b) => value(a).localeCompare(value(b), undefined, { numeric: true })
      : (a, b) => value(a) - value(b);
    table.tBodies[0].append(...[...table.tBodies[0].rows].sort((a, b) => (up ? order(a, b) : order(b, a))));
  }
  heads.forEach((head) => head.querySelector("button").addEventListener("click", () => sortBy(head)));

  // The map as colours: every cluster has its own, so a colour tells the cluster ------------------------
  const picture = $("#labels");
  const veil = $("#veil");
  const readout = $("#readout");
  const hint = readout.textContent;
  const clusters = new Map();
  const byColour = new Map();
  for (const row of table.tBodies[0].rows) {
    const cluster = {
      label: row.dataset.label, row,
      colour: parseInt(row.dataset.colour.slice(1), 16),
      name: row.cells[0].dataset.value, share: row.cells[1].textContent,
    };
    clusters.set(cluster.label, cluster);
    byColour.set(cluster.colour, cluster);
  }
  let pixels = null;

  function readPixels() {
    const canvas = document.createElement("canvas");
    canvas.width = picture.naturalWidth;
    canvas.height = picture.naturalHeight;
    const pen = canvas.getContext("2d", { willReadFrequently: true });
    pen.drawImage(picture, 0, 0);
    const bytes = pen.getImageData(0, 0, canvas.width, canvas.height).data;
    pixels = new Int32Array(canvas.width * canvas.height).fill(-1);
    for (let i = 0; i < pixels.length; i++) {
      if (bytes[4 * i + 3]) pixels[i] = (bytes[4 * i] << 16) | (bytes[4 * i + 1] << 8) | bytes[4 * i + 2];
    }
  }

  // Highlighting: everything else behind a veil, a ring round what would be too small to see -----------------
  let pinned = null;

  function show(cluster) {
    all("#clusters tr.on").forEach((row) => row.classList.remove("on"));
    all("[data-cluster]").forEach((button) =>
      button.setAttribute("aria-pressed", String(Boolean(pinned) && button.dataset.cluster === pinned.label)));
    veil.width = veil.width;
    if (!cluster) { readout.textContent = hint; return; }
    cluster.row.classList.add("on");
    if (!pixels) return;
    const found = drawVeil(cluster.colour);
    readout.textContent = found
      ? `${cluster.name}, label ${cluster.label}: ${cluster.share}`
      : `${cluster.name}, label ${cluster.label}: too small for this overview`;
  }

  function drawVeil(colour) {
    const width = veil.width = picture.naturalWidth;
    const height = veil.height = picture.naturalHeight;
    const pen = veil.getContext("2d");
    const paper = getComputedStyle(document.documentElement).getPropertyValue("--void").trim();
    const [red, green, blue] = [1, 3, 5].map((i) => parseInt(paper.slice(i, i + 2), 16));
    const image = pen.createImageData(width, height);
    const words = new Uint32Array(image.data.buffer);
    const fog = new Uint32Array(new Uint8Array([red, green, blue, 215]).buffer)[0];
    const cells = new Map();
    const cell = Math.max(1, Math.ceil(Math.max(width, height) / 24));
    let found = 0;
    for (let i = 0; i < pixels.length; i++) {
      if (pixels[i] === colour) {
        found++;
        const x = i % width, y = (i - x) / width;
        const key = ((y / cell) | 0) * 1024 + ((x / cell) | 0);
        const box = cells.get(key);
        if (box) stretch(box, [x, y, x, y]);
        else cells.set(key, [x, y, x, y]);
      } else {
        words[i] = fog;
      }
    }
    pen.putImageData(image, 0, 0);
    if (found < 0.02 * pixels.length) drawRings(pen, joined(cells), width / veil.clientWidth);
    return found;
  }

  function stretch(box, other) {
    box[0] = Math.min(box[0], other[0]); box[1] = Math.min(box[1], other[1]);
    box[2] = Math.max(box[2], other[2]); box[3] = Math.max(box[3], other[3]);
  }

  function joined(cells) {
    const boxes = [];
    while (cells.size) {
      const [first] = cells.keys();
      const box = [...cells.get(first)];
      const queue = [first];
      while (queue.length) {
        const key = queue.pop();
        if (!cells.has(key)) continue;
        stretch(box, cells.get(key));
        cells.delete(key);
        for (const step of [-1025, -1024, -1023, -1, 1, 1023, 1024, 1025]) queue.push(key + step);
      }
      boxes.push(box);
    }
    return boxes;
  }

  function drawRings(pen, boxes, unit) {
    pen.strokeStyle = getComputedStyle(document.body).color;
    pen.lineWidth = 1.5 * unit;
    for (const [left, top, right, bottom] of boxes) {
      const reach = Math.hypot(right - left + 1, bottom - top + 1) / 2;
      if (reach > 30 * unit) continue;
      pen.beginPath();
      pen.arc((left + right + 1) / 2, (top + bottom + 1) / 2, reach + 5 * unit, 0, 2 * Math.PI);
      pen.stroke();
    }
  }

  function pin(cluster) {
    pinned = pinned === cluster ? null : cluster;
    show(pinned);
  }

  all("[data-cluster]").forEach((button) => button.addEventListener("click", () => {
    pin(clusters.get(button.dataset.cluster));
    const frame = $("#frame").getBoundingClientRect();
    if (pinned && (frame.bottom < 80 || frame.top > innerHeight - 80)) $("#frame").scrollIntoView({ block: "nearest" });
  }));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { pinned = null; show(null); }
  });
  if (matchMedia("(hover: hover)").matches) {
    all("#clusters tbody tr").forEach((row) => {
      row.addEventListener("pointerenter", () => show(clusters.get(row.dataset.label)));
      row.addEventListener("pointerleave", () => show(pinned));
    });
  }

  // Pointing at the map ---------------------------------------------------------------------------------
  function under(event) {
    const box = picture.getBoundingClientRect();
    const x = Math.floor(((event.clientX - box.left) / box.width) * picture.naturalWidth);
    const y = Math.floor(((event.clientY - box.top) / box.height) * picture.naturalHeight);
    const inside = pixels && x >= 0 && y >= 0 && x < picture.naturalWidth && y < picture.naturalHeight;
    return inside ? { x, y, cluster: byColour.get(pixels[y * picture.naturalWidth + x]) } : null;
  }
  $("#frame").addEventListener("pointermove", (event) => {
    const spot = under(event);
    if (!spot) return;
    const um = Number(picture.dataset.um);
    const place = `x ${Math.round(spot.x * um)} µm, y ${Math.round(spot.y * um)} µm`;
    readout.textContent = spot.cluster
      ? `${spot.cluster.name}, label ${spot.cluster.label}, at ${place}` : `void at ${place}`;
  });
  $("#frame").addEventListener("pointerleave", () => show(pinned));
  $("#frame").addEventListener("click", (event) => {
    const spot = under(event);
    if (spot) pin(spot.cluster || pinned);
  });
  const shading = $("#shading");
  if (shading) shading.addEventListener("change", () => { $("#shade").hidden = !shading.checked; });

  picture.decode().then(readPixels).then(() => {
    document.documentElement.dataset.map = `${byColour.size} clusters ready`;
  }).catch(() => { readout.textContent = "This browser keeps the map's colours to itself; the table still works."; });
})();
