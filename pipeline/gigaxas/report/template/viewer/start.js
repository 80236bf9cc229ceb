"use strict";
// Buttons of the map, the address after #, and the start.
(() => {
  const $ = (selector) => document.querySelector(selector);
  const all = (selector) => [...document.querySelectorAll(selector)];

  gx.fail = (error) => {
    $("#trouble").textContent = `Part of the map cannot be shown: ${error.message}. Keep the folder together, or write the report again.`;
    $("#trouble").hidden = false;
  };

  function legend() {
    const layer = gx.scene.values.find(({ name }) => name === gx.view.layer);
    $("#ramp").hidden = !layer;
    $("#states").hidden = gx.view.layer !== "state";
    $("#components").hidden = gx.view.layer !== "components";
    $("#shading").parentElement.hidden = !gx.scene.shade || !gx.shadable(gx.view.layer);
    const chosen = $(`input[name=layer][value="${gx.view.layer}"]`);
    $("#meaning").textContent = chosen.dataset.meaning;
    if (!layer) return;
    const digits = Math.max(0, Math.ceil(2 - Math.log10(layer.high - layer.low)));
    $("#low").textContent = layer.low.toFixed(Math.min(digits, 12));
    $("#high").textContent = layer.high.toFixed(Math.min(digits, 12));
    $("#ramp i").style.background = `linear-gradient(90deg, ${gx.scene.ramp.filter((_, n) => n % 16 === 0).join()})`;
  }

  function choose(layer) {
    const button = $(`input[name=layer][value="${CSS.escape(layer)}"]`);
    if (!button) return;
    button.checked = true;
    gx.look({ layer });
    legend();
  }

  // #label=41&layer=state&pixel=120,80 opens the map there, #speck=3 at a speck.
  function follow() {
    const wanted = new URLSearchParams(location.hash.slice(1));
    if (wanted.has("layer")) choose(wanted.get("layer"));
    if (wanted.has("label")) gx.select(Number(wanted.get("label")));
    if (wanted.has("speck")) gx.showSpeck(Number(wanted.get("speck")));
    const place = (wanted.get("pixel") || "").split(",").map(Number);
    if (place.length !== 2 || !(place[0] < gx.scene.width && place[1] < gx.scene.height)) return;
    gx.fly([place[0], place[1], place[0] + 1, place[1] + 1]);
    gx.pin({ x: place[0], y: place[1] });
  }

  gx.open();
  gx.listen();
  gx.listenSpecks();
  legend();
  all("input[name=layer]").forEach((button) => button.addEventListener("change", () => choose(button.value)));
  $("#shading").addEventListener("change", (event) => gx.look({ shade: event.target.checked }));
  $("#closer").addEventListener("click", () => gx.viewer.viewport.zoomBy(2));
  $("#farther").addEventListener("click", () => gx.viewer.viewport.zoomBy(0.5));
  $("#home").addEventListener("click", () => gx.viewer.viewport.goHome());
  gx.viewer.addOnceHandler("open", follow);
  addEventListener("hashchange", follow);
})();
