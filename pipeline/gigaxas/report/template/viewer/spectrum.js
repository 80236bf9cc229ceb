"use strict";
// The mean spectrum of a region, from the spectra of cells that lie inside by more than half.
(() => {
  const MOST = 64;

  // The coarsest cells that are no more than MOST across the region.
  function levelOf([left, top, right, bottom]) {
    const { side, levels } = gx.scene.cells, across = Math.max(right - left, bottom - top);
    let level = 0;
    while (level < levels - 1 && across > MOST * side * 2 ** level) level++;
    return level;
  }

  // Cells of one script: pixels, and the spectrum of one of them.
  async function readGroup(level, column, row, shape) {
    const [low, high, text] = await gx.fetchText(`tiles/cells/${level}/${column}_${row}`);
    const bytes = await gx.inflate(text), count = shape.rows * shape.columns, energies = gx.scene.energy.length;
    const pixels = gx.integers(bytes, 0, count, 4), codes = gx.integers(bytes, 4 * count, energies * count, 2);
    const value = (cell, e) => low + ((high - low) * codes[e * count + cell]) / 65534;
    return { pixels, value };
  }

  // The mean over the cells that lie inside by more than half: spectrum, cells, pixels and side.
  async function meanSpectrum(box, coveredIn) {
    const { side, group } = gx.scene.cells, { width, height, energy } = gx.scene, level = levelOf(box);
    const step = side * 2 ** level, wide = Math.ceil(width / step), high = Math.ceil(height / step);
    const mean = new Float64Array(energy.length), found = { cells: 0, pixels: 0, step, mean };
    const groups = new Map();
    for (let y = Math.floor(box[1] / step); y * step < box[3]; y++) {
      for (let x = Math.floor(box[0] / step); x * step < box[2]; x++) {
        const cell = [x * step, y * step, Math.min(width, (x + 1) * step), Math.min(height, (y + 1) * step)];
        const room = (cell[2] - cell[0]) * (cell[3] - cell[1]);
        if (2 * coveredIn(cell) <= room) continue;
        const key = `${Math.floor(x / group)} ${Math.floor(y / group)}`;
        if (!groups.has(key)) groups.set(key, []);
        groups.get(key).push([x % group, y % group]);
      }
    }
    for (const [key, cells] of groups) {
      const [column, row] = key.split(" ").map(Number);
      const shape = { rows: Math.min(group, high - row * group), columns: Math.min(group, wide - column * group) };
      const { pixels, value } = await readGroup(level, column, row, shape);
      for (const [x, y] of cells) {
        const cell = y * shape.columns + x;
        if (!pixels[cell]) continue;
        found.cells += 1;
        found.pixels += pixels[cell];
        for (let e = 0; e < mean.length; e++) mean[e] += pixels[cell] * value(cell, e);
      }
    }
    for (let e = 0; e < mean.length; e++) mean[e] /= found.pixels;
    return found;
  }

  function shape(name, attributes, text) {
    const part = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) part.setAttribute(key, value);
    if (text !== undefined) part.textContent = text;
    return part;
  }

  // Ticks at 1, 2 or 5 times a power of ten, three or more of them.
  function ticks(low, high) {
    const power = 10 ** Math.floor(Math.log10((high - low) / 3));
    const step = [5, 2, 1].map((times) => times * power).find((one) => one <= (high - low) / 3);
    const found = [];
    for (let n = Math.ceil(low / step); n * step <= high; n++) found.push(Number((n * step).toPrecision(12)));
    return found;
  }

  function draw(spectrum) {
    const { energy } = gx.scene, left = 40, right = 332, top = 8, foot = 160;
    const low = Math.min(...spectrum), high = Math.max(...spectrum, low + 1e-9);
    const first = energy[0], last = energy[energy.length - 1];
    const x = (value) => left + ((right - left) * (value - first)) / (last - first);
    const y = (value) => foot - ((foot - top) * (value - low)) / (high - low);
    const picture = shape("svg", {
      viewBox: "0 0 340 184", role: "img",
      "aria-label": `Mean spectrum of the region: absorbance from ${low.toPrecision(3)} to ${high.toPrecision(3)} against energy in eV`,
    });
    for (const value of ticks(low, high)) {
      picture.append(shape("path", { class: "grid", d: `M${left} ${y(value)}H${right}` }),
        shape("text", { x: left - 5, y: y(value) + 3.5, "text-anchor": "end" }, value));
    }
    for (const value of ticks(first, last)) {
      picture.append(shape("path", { class: "grid", d: `M${x(value)} ${top}V${foot}` }),
        shape("text", { x: x(value), y: foot + 17, "text-anchor": "middle" }, value));
    }
    const path = energy.map((value, e) => `${x(value).toFixed(1)} ${y(spectrum[e]).toFixed(1)}`).join("L");
    picture.append(shape("path", { class: "curve", d: `M${path}` }));
    return picture;
  }

  Object.assign(gx, { meanSpectrum, drawSpectrum: draw });
})();
