"use strict";
// Specks: rings of one size at every zoom, their pixels where these are seen, and the flight from one to the next.
(() => {
  const $ = (selector) => document.querySelector(selector);
  const PAGE = 50, NEW_RING = 10, PIECE_RING = 5.5, NEW_CELL = 8, PIECE_CELL = 22, SEEN = 4;
  const { kinds, rows } = gx.scene.specks || { kinds: [], rows: [] };
  const list = rows.map(([kind, x, y, width, height, z, p], n) =>
    ({ number: n + 1, kind: kinds[kind], x, y, width, height, z, p }));
  let current = 0, first = 0, byPixel = null;

  // The speck that a pixel belongs to, if it belongs to one.
  function speckAt(x, y) {
    if (!byPixel) {
      byPixel = new Map();
      for (const speck of list) {
        for (let v = 0; v < speck.height; v++) {
          for (let u = 0; u < speck.width; u++) byPixel.set((speck.y + v) * gx.scene.width + speck.x + u, speck);
        }
      }
    }
    return byPixel.get(y * gx.scene.width + x);
  }

  // Drawing ---------------------------------------------------------------------------------------------
  // Ten thousand rings are stamped faster than they are stroked; one stamp a colour and size.
  const stamps = new Map();
  function stampOf({ colour, shown }) {
    const key = `${colour} ${shown} ${devicePixelRatio}`;
    if (stamps.has(key)) return stamps.get(key);
    const radius = shown ? PIECE_RING : NEW_RING, side = 2 * radius + 8;
    const stamp = document.createElement("canvas");
    stamp.width = stamp.height = Math.ceil(side * devicePixelRatio);
    const pen = stamp.getContext("2d");
    pen.scale(devicePixelRatio, devicePixelRatio);
    const lines = shown ? [["#111", 3.2], [colour, 1.6]] : [["#111", 6.4], ["#fff", 4.8], [colour, 2.6]];
    for (const [line, width] of lines) {
      pen.strokeStyle = line;
      pen.lineWidth = width;
      pen.beginPath();
      pen.arc(side / 2, side / 2, radius, 0, 2 * Math.PI);
      pen.stroke();
    }
    stamps.set(key, { stamp, side, radius });
    return stamps.get(key);
  }

  // Draw what is in sight, the first of all on top. Far out one stands for those around it, so that the map is
  // still seen: of pieces for more than of kinds that the map does not show.
  function drawSpecks(pen, width, height) {
    if (!gx.view.specks || !list.length) return;
    const corner = gx.onScreen(0, 0), scale = (gx.onScreen(1000, 0).x - corner.x) / 1000;
    const taken = new Set(), seen = [];
    for (const speck of list) {
      const wide = speck.width * scale, high = speck.height * scale;
      const x = corner.x + speck.x * scale, y = corner.y + speck.y * scale;
      if (x + wide < -20 || y + high < -20 || x > width + 20 || y > height + 20) continue;
      if (scale < 1) {
        const side = speck.kind.shown ? PIECE_CELL : NEW_CELL;
        const cell = `${speck.kind.shown} ${Math.floor(speck.y * scale / side)} ${Math.floor(speck.x * scale / side)}`;
        if (taken.has(cell) && speck.number !== current) continue;
        taken.add(cell);
      }
      seen.push({ speck, x, y, wide, high });
    }
    for (const { speck, x, y, wide, high } of seen.reverse()) {
      if (scale >= SEEN) block(pen, speck.kind.colour, x, y, wide, high);
      const { stamp, side, radius } = stampOf(speck.kind);
      if (Math.hypot(wide, high) < 2 * radius) pen.drawImage(stamp, x + (wide - side) / 2, y + (high - side) / 2, side, side);
    }
  }

  // The pixels of a speck in the colour of its kind, within a frame that is seen on every colour.
  function block(pen, colour, x, y, wide, high) {
    pen.fillStyle = colour;
    pen.fillRect(x, y, wide, high);
    for (const [line, width, gap] of [["#fff", 1.5, 0.75], ["#111", 1.5, 2.25]]) {
      pen.strokeStyle = line;
      pen.lineWidth = width;
      pen.strokeRect(x - gap, y - gap, wide + 2 * gap, high + 2 * gap);
    }
  }

  // The flight ------------------------------------------------------------------------------------------
  function showSpeck(number) {
    const speck = list[number - 1];
    if (!speck) return;
    current = number;
    if (!gx.view.specks) {
      $("#speckled").checked = true;
      gx.look({ specks: true });
    }
    if (gx.view.selected) gx.select(0);
    gx.fly([speck.x, speck.y, speck.x + speck.width, speck.y + speck.height]);
    gx.pin({ x: speck.x + (speck.width >> 1), y: speck.y + (speck.height >> 1), speck: number });
    gx.tell();
    $("#speck-told").textContent = `${number} of ${list.length}: ${speck.kind.name}`;
    showPage(Math.floor((number - 1) / PAGE) * PAGE);
    document.documentElement.dataset.speck = String(number);
  }

  function hop(step) {
    showSpeck(current ? ((current - 1 + step + list.length) % list.length) + 1 : step > 0 ? 1 : list.length);
  }

  // The list, a page at a time ----------------------------------------------------------------------------
  function entry(speck) {
    const item = document.createElement("li"), link = document.createElement("a"), mark = document.createElement("span");
    const name = document.createElement("span"), more = document.createElement("small");
    link.href = `#speck=${speck.number}`;
    link.dataset.speck = speck.number;
    if (speck.number === current) link.setAttribute("aria-current", "true");
    mark.className = "swatch ring";
    mark.style.setProperty("--c", speck.kind.colour);
    name.textContent = `${speck.number} ${speck.kind.name}`;
    const size = `${speck.kind.shown ? "piece, " : ""}${speck.width} × ${speck.height} pixels`;
    more.textContent = `${size} at x ${speck.x}, y ${speck.y}; z ${speck.z.toFixed(1)}; p\u202f${speck.p}`;
    name.append(more);
    link.append(mark, name);
    item.append(link);
    return item;
  }

  function showPage(start) {
    first = start;
    const last = Math.min(start + PAGE, list.length);
    $("#specks").start = start + 1;
    $("#specks").replaceChildren(...list.slice(start, last).map(entry));
    $("#pages").hidden = list.length <= PAGE;
    $("#page-told").textContent = `${start + 1} to ${last} of ${list.length}`;
    $("#earlier-specks").disabled = !start;
    $("#later-specks").disabled = last === list.length;
    const box = $("#specks"), shown = $("#specks [aria-current]");
    // The list alone is scrolled: on a small screen the map must stay where it is.
    if (shown) box.scrollTop += shown.getBoundingClientRect().top - box.getBoundingClientRect().top - box.clientHeight / 3;
  }

  function listenSpecks() {
    if (!gx.scene.specks) return;
    $("#speckled").addEventListener("change", (event) => gx.look({ specks: event.target.checked }));
    if (!list.length) return;
    showPage(0);
    $("#previous-speck").addEventListener("click", () => hop(-1));
    $("#next-speck").addEventListener("click", () => hop(1));
    $("#earlier-specks").addEventListener("click", () => showPage(first - PAGE));
    $("#later-specks").addEventListener("click", () => showPage(first + PAGE));
    $("#specks").addEventListener("click", (event) => {
      const link = event.target.closest("a");
      if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      showSpeck(Number(link.dataset.speck));
      $(`#specks a[data-speck="${link.dataset.speck}"]`).focus({ preventScroll: true });
    });
    // Capture: the map keeps the keys that it knows to itself. Without the layer there are no keys either.
    document.addEventListener("keydown", (event) => {
      const step = { n: 1, p: -1 }[event.key];
      if (step && gx.view.specks && !event.ctrlKey && !event.metaKey && !event.altKey) hop(step);
    }, true);
  }

  Object.assign(gx, { drawSpecks, listenSpecks, showSpeck, speckAt, speckCount: list.length });
})();
