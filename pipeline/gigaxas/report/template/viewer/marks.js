"use strict";
// What lies over the map: rings round what is too small to see, the pinned pixel, the scale bar.
(() => {
  const canvas = document.querySelector("#marks");
  const MOST_RING = 44;

  function drawMarks() {
    const { viewer } = gx;
    if (!viewer || !viewer.world.getItemCount()) return;
    const box = canvas.parentElement.getBoundingClientRect();
    canvas.parentElement.style.setProperty("--glass", box.width / box.height);
    canvas.width = Math.round(box.width * devicePixelRatio);
    canvas.height = Math.round(box.height * devicePixelRatio);
    const pen = canvas.getContext("2d");
    pen.scale(devicePixelRatio, devicePixelRatio);
    gx.drawSpecks(pen, box.width, box.height);
    // A light line on a dark one is seen on every colour.
    for (const [colour, width] of [["#111", 4], ["#fff", 1.6]]) {
      pen.strokeStyle = colour;
      pen.lineWidth = width;
      for (const box of (gx.boxes[gx.view.selected] || []).slice(1)) ring(pen, box);
      if (gx.pinned) cross(pen, gx.pinned);
      gx.drawRegion(pen);
    }
    // The marks lie over the navigator too, which shows another part of the map.
    const over = viewer.navigator.element.getBoundingClientRect();
    pen.clearRect(over.x - box.x, over.y - box.y, over.width, over.height);
    drawScale();
  }

  const onScreen = (x, y) =>
    gx.viewer.viewport.imageToViewerElementCoordinates(new OpenSeadragon.Point(x, y));

  function ring(pen, [left, top, right, bottom]) {
    const a = onScreen(left, top), b = onScreen(right, bottom);
    const reach = Math.hypot(b.x - a.x, b.y - a.y) / 2;
    if (reach > MOST_RING) return;
    pen.beginPath();
    pen.arc((a.x + b.x) / 2, (a.y + b.y) / 2, reach + 6, 0, 2 * Math.PI);
    pen.stroke();
  }

  function cross(pen, { x, y }) {
    const a = onScreen(x, y), b = onScreen(x + 1, y + 1);
    const gap = Math.max(4, (b.x - a.x) / 2 + 1);
    const middle = { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
    pen.beginPath();
    for (const [u, v] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
      pen.moveTo(middle.x + gap * u, middle.y + gap * v);
      pen.lineTo(middle.x + (gap + 9) * u, middle.y + (gap + 9) * v);
    }
    pen.stroke();
  }

  function drawScale() {
    const um = gx.scene.um / (gx.screenPixels() / devicePixelRatio);
    const most = 150 * um, power = 10 ** Math.floor(Math.log10(most));
    const bar = [5, 2, 1].map((step) => step * power).find((length) => length <= most);
    document.querySelector("#scale").style.width = `${bar / um}px`;
    document.querySelector("#scale span").textContent =
      bar < 1000 ? `${Number(bar.toPrecision(2))}\u202fµm` : `${Number((bar / 1000).toPrecision(2))}\u202fmm`;
  }

  Object.assign(gx, { drawMarks, onScreen, pinned: null });
})();
