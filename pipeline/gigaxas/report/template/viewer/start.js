"use strict";
// Buttons of the map, and the start.
(() => {
  const $ = (selector) => document.querySelector(selector);
  const all = (selector) => [...document.querySelectorAll(selector)];

  gx.complain = (sentence) => {
    $("#trouble").textContent = sentence;
    $("#trouble").hidden = !sentence;
  };
  gx.fail = (error) =>
    gx.complain(`Part of the map cannot be shown: ${error.message}. Keep the folder together, or write the report again.`);

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
    $(`input[name=layer][value="${CSS.escape(layer)}"]`).checked = true;
    gx.look({ layer });
    legend();
    gx.tellSoon();
  }

  Object.assign(gx, { choose });
  gx.open();
  gx.listen();
  gx.listenSpecks();
  legend();
  all("input[name=layer]").forEach((button) => button.addEventListener("change", () => choose(button.value)));
  $("#shading").addEventListener("change", (event) => gx.look({ shade: event.target.checked }));
  $("#closer").addEventListener("click", () => gx.viewer.viewport.zoomBy(2));
  $("#farther").addEventListener("click", () => gx.viewer.viewport.zoomBy(0.5));
  $("#home").addEventListener("click", () => gx.viewer.viewport.goHome());
  gx.listenRegion();
  gx.listenAddress();
})();
