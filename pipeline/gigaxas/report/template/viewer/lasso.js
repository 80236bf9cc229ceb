"use strict";
// A region drawn on the map, and what it is made of: every pixel whose middle lies inside is counted.
(() => {
  const $ = (selector) => document.querySelector(selector);
  const STEP = 3;
  let on = false, drawn = null, region = null, turn = 0;

  // Pixels inside -----------------------------------------------------------------------------------------
  // The columns [from, to) of each row of the map that lie inside a polygon, by the even-odd rule.
  function spansOf(corners) {
    const { width, height } = gx.scene, crossings = new Map();
    corners.forEach((a, n) => {
      const b = corners[(n + 1) % corners.length], [upper, lower] = a.y < b.y ? [a, b] : [b, a];
      const last = Math.min(height, Math.ceil(lower.y - 0.5));
      for (let y = Math.max(0, Math.ceil(upper.y - 0.5)); y < last; y++) {
        const x = upper.x + ((y + 0.5 - upper.y) * (lower.x - upper.x)) / (lower.y - upper.y);
        if (!crossings.has(y)) crossings.set(y, []);
        crossings.get(y).push(Math.min(width, Math.max(0, Math.ceil(x - 0.5))));
      }
    });
    const spans = new Map();
    for (const [y, xs] of crossings) {
      xs.sort((a, b) => a - b);
      const own = [];
      for (let n = 0; n + 1 < xs.length; n += 2) if (xs[n] < xs[n + 1]) own.push([xs[n], xs[n + 1]]);
      if (own.length) spans.set(y, own);
    }
    return spans;
  }

  // Call use(y, from, to) for the pixels inside of a part of the map.
  function within(spans, [left, top, right, bottom], use) {
    for (let y = top; y < bottom; y++) {
      for (const [from, to] of spans.get(y) || []) {
        const a = Math.max(from, left), b = Math.min(to, right);
        if (a < b) use(y, a, b);
      }
    }
  }

  function covered(spans, box) {
    let pixels = 0;
    within(spans, box, (y, from, to) => { pixels += to - from; });
    return pixels;
  }

  // The box round all spans, as [x0, y0, x1, y1].
  function boxOf(spans) {
    const box = [Infinity, Infinity, 0, 0];
    for (const [y, own] of spans) {
      box[0] = Math.min(box[0], own[0][0]); box[1] = Math.min(box[1], y);
      box[2] = Math.max(box[2], own[own.length - 1][1]); box[3] = Math.max(box[3], y + 1);
    }
    return box;
  }

  // Pixels of each label, 0 for void. A tile that lies inside as a whole is counted already.
  async function compose(spans, wanted) {
    const { tile, width, height, sites } = gx.scene, counts = new Float64Array(sites.length + 1);
    const [left, top, right, bottom] = boxOf(spans);
    for (let y = top - (top % tile); y < bottom; y += tile) {
      for (let x = left - (left % tile); x < right; x += tile) {
        const box = [x, y, Math.min(width, x + tile), Math.min(height, y + tile)], inside = covered(spans, box);
        const name = `${x / tile}_${y / tile}`;
        if (!inside) continue;
        if (inside === (box[2] - box[0]) * (box[3] - box[1])) {
          for (const [label, pixels] of await gx.fetchText(`tiles/counts/${name}`)) counts[label] += pixels;
        } else {
          const { label, width: row } = await gx.get("map", 0, x / tile, y / tile);
          within(spans, box, (v, from, to) => {
            for (let u = from; u < to; u++) counts[label[(v - y) * row + u - x]] += 1;
          });
        }
        if (wanted !== turn) return null;
      }
    }
    return counts;
  }

  // What is told ------------------------------------------------------------------------------------------
  const grouped = (value) => value.toLocaleString("en").replaceAll(",", "\u202f");
  const percent = (share) => `${share >= 0.0001 ? (100 * share).toFixed(2) : (100 * share).toPrecision(1)}\u202f%`;

  function row(cluster, pixels, share) {
    const line = document.createElement("tr"), name = document.createElement("th"), mark = document.createElement("span");
    name.scope = "row";
    mark.className = cluster ? "swatch" : "swatch void";
    if (cluster) mark.style.setProperty("--c", cluster.colour);
    name.append(mark, cluster ? cluster.name : "void");
    const cells = [share, grouped(pixels)].map((told) => {
      const cell = document.createElement("td");
      cell.className = "num";
      cell.textContent = told;
      return cell;
    });
    line.append(name, ...cells);
    return line;
  }

  function tell(counts) {
    const all = counts.reduce((sum, pixels) => sum + pixels), labelled = all - counts[0];
    const own = gx.scene.clusters.filter(({ label }) => counts[label]).sort((a, b) => counts[b.label] - counts[a.label]);
    $("#region-told").textContent = `${grouped(all)} ${all === 1 ? "pixel" : "pixels"}, `
      + `${grouped(Number((all * gx.scene.um ** 2).toPrecision(4)))}\u202fµm². Shares are of the pixels with a label.`;
    $("#region-shares").replaceChildren(
      ...own.map((cluster) => row(cluster, counts[cluster.label], percent(counts[cluster.label] / labelled))),
      ...(counts[0] ? [row(null, counts[0], "–")] : []));
    document.documentElement.dataset.region = String(all);
  }

  async function choose(corners) {
    const wanted = ++turn, spans = spansOf(corners);
    region = spans.size ? corners : null;
    delete document.documentElement.dataset.region;
    delete document.documentElement.dataset.mean;
    $("#region").hidden = !region;
    gx.drawMarks();
    if (!region) return;
    $("#region-told").textContent = "Counting …";
    $("#region-shares").replaceChildren();
    $("#region-spectrum").replaceChildren();
    $("#region-mean").textContent = "";
    const counts = await compose(spans, wanted).catch(gx.fail);
    if (counts) tell(counts);
    if (counts) await tellMean(spans, wanted).catch(gx.fail);
  }

  async function tellMean(spans, wanted) {
    if (!gx.scene.cells) {
      $("#region-mean").textContent = "There is no mean spectrum: this result holds no spectra of cells. It has some once gigaxas classify --fresh has made it, unless the chunks of its cube are under 32 pixels.";
      return;
    }
    const { cells, pixels, step, mean } = await gx.meanSpectrum(boxOf(spans), (box) => covered(spans, box));
    if (wanted !== turn) return;
    const size = `${step} × ${step} pixels`;
    $("#region-mean").textContent = cells
      ? `Mean of the ${grouped(pixels)} pixels with a signal of ${cells === 1 ? "the one cell" : `the ${grouped(cells)} cells`} of ${size} `
        + `that ${cells === 1 ? "lies" : "lie"} inside by more than half. Absorbance against energy in eV.`
      : `There is no mean spectrum: no cell of ${size} with a signal lies inside by more than half.`;
    $("#region-spectrum").replaceChildren(...(cells ? [gx.drawSpectrum(mean)] : []));
    gx.regionMean = { cells, pixels, step, mean: [...mean] };
    document.documentElement.dataset.mean = String(cells);
  }

  // Drawing -----------------------------------------------------------------------------------------------
  function turnOn(wanted) {
    on = wanted;
    drawn = null;
    $("#lasso").setAttribute("aria-pressed", String(on));
    gx.viewer.setMouseNavEnabled(!on);
    $("#map").classList.toggle("lasso", on);
    gx.drawMarks();
  }

  function placeOf(event) {
    const box = $("#map").getBoundingClientRect();
    const { x, y } = gx.viewer.viewport.viewerElementToImageCoordinates(
      new OpenSeadragon.Point(event.clientX - box.left, event.clientY - box.top));
    return { x, y, screen: [event.clientX, event.clientY] };
  }

  function draw(event) {
    if (!on) return;
    event.preventDefault();
    event.stopPropagation();
    if (event.type === "pointerdown") {
      drawn = [placeOf(event)];
      $("#map").setPointerCapture(event.pointerId);
    } else if (drawn && event.type === "pointermove") {
      const place = placeOf(event), { screen } = drawn[drawn.length - 1];
      if (Math.hypot(place.screen[0] - screen[0], place.screen[1] - screen[1]) < STEP) return;
      drawn.push(place);
      gx.drawMarks();
    } else if (drawn && event.type === "pointerup") {
      const corners = drawn;
      turnOn(false);
      choose(corners);
    }
  }

  function inView() {
    const { viewport } = gx.viewer, bounds = viewport.viewportToImageRectangle(viewport.getBounds());
    const [left, top, right, bottom] = [bounds.x, bounds.y, bounds.x + bounds.width, bounds.y + bounds.height];
    turnOn(false);
    choose([{ x: left, y: top }, { x: right, y: top }, { x: right, y: bottom }, { x: left, y: bottom }]);
  }

  function drawRegion(pen) {
    const corners = drawn || region;
    if (!corners) return;
    pen.beginPath();
    for (const { x, y } of corners) {
      const place = gx.onScreen(x, y);
      pen.lineTo(place.x, place.y);
    }
    if (!drawn) pen.closePath();
    pen.stroke();
  }

  function listenRegion() {
    for (const kind of ["pointerdown", "pointermove", "pointerup"]) $("#map").addEventListener(kind, draw, true);
    $("#lasso").addEventListener("click", () => turnOn(!on));
    $("#in-view").addEventListener("click", inView);
    $("#drop-region").addEventListener("click", () => choose([]));
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && on) turnOn(false);
    });
  }

  Object.assign(gx, { drawRegion, listenRegion });
})();
