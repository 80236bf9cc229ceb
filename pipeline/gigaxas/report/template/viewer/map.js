"use strict";
// The map: OpenSeadragon shows canvases that are painted here, and painted again when the view changes.
(() => {
  const view = { layer: "label", shade: true, selected: 0, specks: true };
  const painted = new Map();
  let viewer = null;

  function source() {
    const { width, height, tile, levels } = gx.scene;
    const tiles = new OpenSeadragon.TileSource({
      width, height, tileSize: tile, tileOverlap: 0, minLevel: 0, maxLevel: levels - 1,
    });
    // OpenSeadragon counts levels from the coarsest.
    tiles.getTileUrl = (level, column, row) => `tiles/map/${levels - 1 - level}/${column}_${row}.js`;
    tiles.downloadTileStart = (job) => {
      const { level, x, y } = job.tile;
      drawTile({ level: levels - 1 - level, x, y })
        .then((pen) => job.finish(pen, null, "context2d"), (error) => job.fail(error.message));
    };
    tiles.downloadTileAbort = () => {};
    return tiles;
  }

  // Everything a view shows of one tile.
  async function gather(place, groups) {
    const { level, x, y } = place;
    const [map, ...values] = await Promise.all(["map", ...groups].map((group) => gx.get(group, level, x, y)));
    return Object.assign({ ...map }, ...groups.map((group, n) => ({ [group]: values[n] })));
  }

  async function drawTile(place) {
    const canvas = document.createElement("canvas");
    const wanted = { ...view };
    const tile = await gather(place, gx.needs(wanted));
    canvas.width = tile.width;
    canvas.height = tile.height;
    const pen = canvas.getContext("2d");
    gx.paint(pen, tile, wanted);
    painted.set(pen, { place, wanted });
    if (changed(wanted)) repaint();
    return pen;
  }

  // Specks lie over the tiles: these need not be painted again for them.
  const changed = (wanted) => ["layer", "shade", "selected"].some((key) => wanted[key] !== view[key]);

  // Paint again what OpenSeadragon still holds, the latest first; a canvas it has let go has no width.
  let painting = false;
  async function repaint() {
    if (painting) return;
    painting = true;
    let since = performance.now();
    for (const pen of painted.keys()) if (!pen.canvas.width) painted.delete(pen);
    for (let todo = outdated(); todo.length; todo = outdated()) {
      const [pen, { place }] = todo[todo.length - 1];
      const wanted = { ...view };
      try {
        const tile = await gather(place, gx.needs(wanted));
        if (pen.canvas.width) gx.paint(pen, tile, wanted);
      } catch (error) { gx.fail(error); }
      if (pen.canvas.width) painted.set(pen, { place, wanted });
      else painted.delete(pen);
      viewer.forceRedraw();
      viewer.navigator.forceRedraw();
      if (performance.now() - since > 12) {
        await new Promise(requestAnimationFrame);
        since = performance.now();
      }
    }
    painting = false;
    document.documentElement.dataset.painted = `${view.layer} ${view.selected}`;
  }
  const outdated = () => [...painted].filter(([, { wanted }]) => changed(wanted));

  function look(change) {
    Object.assign(view, change);
    repaint();
    gx.drawMarks();
  }

  function open() {
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    viewer = gx.viewer = OpenSeadragon({
      element: document.querySelector("#map"),
      tileSources: source(),
      drawer: "canvas",
      showNavigationControl: false,
      showNavigator: true,
      navigatorPosition: "TOP_RIGHT",
      navigatorSizeRatio: 0.16,
      navigatorDisplayRegionColor: "currentColor",
      gestureSettingsMouse: { clickToZoom: false, dblClickToZoom: true },
      gestureSettingsTouch: { clickToZoom: false },
      animationTime: still ? 0 : 0.6,
      blendTime: 0,
      maxZoomPixelRatio: 40,
      minZoomImageRatio: 0.7,
      visibilityRatio: 0.4,
      maxImageCacheCount: 120,
      imageLoaderLimit: 6,
    });
    // Far out, several pixels share one of the screen; near, each must stay a square.
    let smooth = null;
    viewer.addHandler("update-viewport", () => {
      const now = gx.screenPixels() < 1;
      if (now !== smooth) viewer.drawer.setImageSmoothingEnabled(smooth = now);
      gx.drawMarks();
    });
    viewer.addHandler("open", () => { document.documentElement.dataset.map = "open"; });
    viewer.addHandler("tile-load-failed", (event) => gx.fail(new Error(event.message)));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      gx.forgetColours();
      for (const [pen, entry] of painted) painted.set(pen, { ...entry, wanted: {} });
      repaint();
    });
  }

  // How many pixels of the screen one pixel of the map takes.
  const screenPixels = () => viewer.viewport.viewportToImageZoom(viewer.viewport.getZoom(true)) * devicePixelRatio;

  // Bring a box (x0, y0, x1, y1) of the map into sight, with its surroundings.
  function fly([left, top, right, bottom]) {
    const reach = Math.max(right - left, bottom - top, 24) * 1.5;
    const middle = [(left + right) / 2, (top + bottom) / 2];
    const [x, y] = middle.map((place) => place - reach);
    viewer.viewport.fitBounds(viewer.viewport.imageToViewportRectangle(x, y, 2 * reach, 2 * reach));
  }

  Object.assign(gx, { view, look, open, fly, screenPixels });
})();
