"use strict";
// The address after #: it follows what is looked at, and opens the map there.
(() => {
  const $ = (selector) => document.querySelector(selector);
  let due = 0;

  // Following an address ----------------------------------------------------------------------------------
  // What #x=120&y=80&label=41&zoom=4&layer=state or #speck=3 asks for, and what of it is not here.
  function read(text) {
    const told = new URLSearchParams(text), wrong = [], { scene } = gx;
    const whole = (name, value, least, most) => {
      const number = /^\d+$/.test(value) ? Number(value) : NaN;
      if (number >= least && number <= most) return number;
      wrong.push(`${name}=${value}: expected a whole number from ${least} to ${most}`);
      return null;
    };
    const named = (name, values) => {
      if (!told.has(name)) return null;
      if (values.includes(told.get(name))) return told.get(name);
      wrong.push(`${name}=${told.get(name)}: this map has none`);
      return null;
    };
    const wanted = {
      layer: named("layer", [...document.querySelectorAll("input[name=layer]")].map((button) => button.value)),
      label: named("label", ["0", ...scene.clusters.map(({ label }) => String(label))]),
      speck: named("speck", Array.from({ length: gx.speckCount }, (_, n) => String(n + 1))),
      zoom: null, place: null,
    };
    const [x, y] = told.has("pixel") ? told.get("pixel").split(",") : [told.get("x"), told.get("y")];
    if (x != null || y != null) {
      const place = { x: whole("x", x ?? "", 0, scene.width - 1), y: whole("y", y ?? "", 0, scene.height - 1) };
      if (place.x !== null && place.y !== null) wanted.place = place;
    }
    if (told.has("zoom")) {
      const zoom = Number(told.get("zoom"));
      if (zoom > 0 && Number.isFinite(zoom)) wanted.zoom = zoom;
      else wrong.push(`zoom=${told.get("zoom")}: expected pixels of the screen for one of the map`);
    }
    return { wanted, wrong };
  }

  function follow() {
    const { wanted, wrong } = read(location.hash.slice(1));
    gx.complain(wrong.length ? `The address asks for what is not here: ${wrong.join("; ")}.` : "");
    if (wanted.layer) gx.choose(wanted.layer);
    if (wanted.label !== null) gx.select(Number(wanted.label));
    if (wanted.speck) gx.showSpeck(Number(wanted.speck));
    if (!wanted.place) return;
    fly(wanted.place, wanted.zoom);
    gx.pin(wanted.place, wanted.label !== null);
  }

  function fly({ x, y }, zoom) {
    if (!zoom) return gx.fly([x, y, x + 1, y + 1]);
    const { viewport } = gx.viewer, room = viewport.getContainerSize();
    const width = room.x / zoom, height = room.y / zoom;
    viewport.fitBounds(viewport.imageToViewportRectangle(x + 0.5 - width / 2, y + 0.5 - height / 2, width, height));
  }

  // Telling the address -----------------------------------------------------------------------------------
  // The held pixel where it is in sight, or else the middle of the view; the whole map has no place.
  function place() {
    const { viewport } = gx.viewer, bounds = viewport.viewportToImageRectangle(viewport.getBounds());
    const inside = ({ x, y }) => bounds.containsPoint(new OpenSeadragon.Point(x + 0.5, y + 0.5));
    if (gx.pinned && inside(gx.pinned)) return gx.pinned;
    if (Math.abs(viewport.getZoom() / viewport.getHomeZoom() - 1) < 0.01) return null;
    const within = (value, size) => Math.min(size - 1, Math.max(0, Math.floor(value)));
    const middle = bounds.getCenter();
    return { x: within(middle.x, gx.scene.width), y: within(middle.y, gx.scene.height) };
  }

  function address() {
    const { viewport } = gx.viewer, here = place();
    if (here && here.speck) return `#speck=${here.speck}`;
    const told = new URLSearchParams(here ? { x: here.x, y: here.y } : {});
    if (gx.view.selected) told.set("label", gx.view.selected);
    if (here) told.set("zoom", Number(viewport.viewportToImageZoom(viewport.getZoom()).toPrecision(3)));
    if (gx.view.layer !== "label") told.set("layer", gx.view.layer);
    return told.size ? `#${told}` : "";
  }

  function tell() {
    clearTimeout(due);
    const wanted = location.href.split("#")[0] + address();
    if (wanted !== location.href) history.replaceState(null, "", wanted);
  }

  // Browsers refuse an address that changes with every step of a movement.
  function tellSoon() {
    clearTimeout(due);
    due = setTimeout(tell, 200);
  }

  async function copy() {
    tell();
    const said = await navigator.clipboard.writeText(location.href).then(
      () => "Link copied", () => "This browser copies nothing for a page from a folder: take the address from its address line");
    $("#copied").textContent = said;
    setTimeout(() => { $("#copied").textContent = ""; }, 4000);
  }

  function listenAddress() {
    gx.viewer.addOnceHandler("open", () => {
      follow();
      gx.viewer.addHandler("animation-finish", tellSoon);
    });
    addEventListener("hashchange", follow);
    $("#copy-link").addEventListener("click", copy);
  }

  Object.assign(gx, { listenAddress, tellSoon, tell });
})();
