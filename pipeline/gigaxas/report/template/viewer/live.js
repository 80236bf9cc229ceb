"use strict";
// While the measurement goes on: say how far it is, and show what is new at the place that was looked at.
// The last page, on which nothing is said, shows that place too, and looks no more.
(() => {
  const EVERY = 2000;
  const $ = (selector) => document.querySelector(selector);
  const state = document.currentScript.src.replace(/[^/]*$/, "underway.js");
  const line = $("#underway");
  const version = Number(line.dataset.version);
  const corner = line.dataset.corner.split(" ").map(Number);
  const before = history.state && history.state.underway;
  const map = window.gx && gx.viewer;

  // What is looked at, its place on the stage: the corner of the map moves as fields come.
  function seen() {
    const pressed = $("[data-cluster][aria-pressed=true]");
    const found = { selected: pressed ? pressed.dataset.cluster : "" };
    if (!map) return found;
    if (!map.isOpen()) return before || found;
    const port = map.viewport, zoom = port.getZoom(true), middle = port.viewportToImageCoordinates(port.getCenter(true));
    return {
      ...found, layer: gx.view.layer, shade: gx.view.shade,
      middle: zoom > 1.001 * port.getHomeZoom() ? [middle.x + corner[0], middle.y + corner[1]] : null,
      across: gx.scene.width / zoom,
      pinned: gx.pinned ? [gx.pinned.x + corner[0], gx.pinned.y + corner[1]] : null,
    };
  }

  function show({ selected, layer, shade, middle, across, pinned }) {
    const button = selected && $(`[data-cluster="${CSS.escape(selected)}"]`);
    if (button) button.click();
    if (!layer) return;
    const choice = $(`input[name=layer][value="${CSS.escape(layer)}"]`);
    if (choice) choice.click();
    if ($("#shading").checked !== shade) $("#shading").click();
    if (middle) {
      const port = map.viewport, [x, y] = middle.map((place, i) => place - corner[i]);
      port.zoomTo(gx.scene.width / across, null, true);
      port.panTo(port.imageToViewportCoordinates(x, y), true);
    }
    if (pinned) {
      const [x, y] = pinned.map((place, i) => Math.round(place - corner[i]));
      if (x >= 0 && y >= 0 && x < gx.scene.width && y < gx.scene.height) gx.pin({ x, y });
    }
  }

  // A page opened from a folder may read scripts of that folder, and nothing else.
  function look() {
    const script = document.createElement("script");
    script.src = `${state}?${Date.now()}`;
    script.onload = script.onerror = () => script.remove();
    document.head.append(script);
  }
  const looking = line.hidden ? 0 : setInterval(look, EVERY);

  window.gxUnderway = (now) => {
    if (now.version > version && !(before && before.version === now.version)) {
      clearInterval(looking);
      // the address tells the place too, but on the map as it was
      history.replaceState({ underway: { ...seen(), version: now.version } }, "", location.href.split("#")[0]);
      location.reload();
      return;
    }
    line.textContent = now.told;
    if (now.over) clearInterval(looking);
  };

  if (before && map && !map.isOpen()) map.addOnceHandler("open", () => show(before));
  else if (before) show(before);
  history.replaceState(null, "");
  if (looking) look();
})();
