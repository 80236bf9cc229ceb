"use strict";
// Beside the map: the pixel under the pointer, the chosen cluster with its spectrum, the table.
(() => {
  const $ = (selector) => document.querySelector(selector);
  const all = (selector) => [...document.querySelectorAll(selector)];
  const byLabel = new Map(gx.scene.clusters.map((cluster) => [cluster.label, cluster]));
  let hovered = 0, placeShown = 0;

  // A pixel ---------------------------------------------------------------------------------------------
  async function readPixel(x, y) {
    const side = gx.scene.tile;
    const column = Math.floor(x / side), row = Math.floor(y / side);
    const groups = [...new Set(gx.scene.values.map(({ group }) => group))];
    const [map, ...bytes] = await Promise.all(["map", ...groups].map((group) => gx.get(group, 0, column, row)));
    const count = map.label.length, i = (y - row * side) * map.width + (x - column * side);
    const codes = gx.scene.values.map(({ group, plane }) => bytes[groups.indexOf(group)][plane * count + i]);
    return { x, y, label: map.label[i], site: map.site[i], state: map.state[i], codes };
  }

  const swatch = (colour) => {
    const mark = document.createElement("span");
    mark.className = "swatch";
    mark.style.setProperty("--c", colour);
    return mark;
  };

  function fact(name, ...content) {
    const term = document.createElement("dt"), value = document.createElement("dd");
    term.textContent = name;
    value.append(...content);
    return [term, value];
  }

  function said(layer, code) {
    if (!code) return "–";
    const value = layer.low + ((code - 1) / 254) * (layer.high - layer.low);
    const digits = Math.max(0, Math.ceil(-Math.log10((layer.high - layer.low) / 254)));
    return `${{ 1: "≤\u202f", 255: "≥\u202f" }[code] || ""}${value.toFixed(Math.min(digits, 12))}`;
  }

  // The components of a pixel, the largest first; a share below half a percent is not named.
  function shares(pixel) {
    const found = gx.scene.values.map((layer, n) => ({ ...layer, share: (pixel.codes[n] - 1) / 254 }))
      .filter(({ label, share }) => label && share > 0.005).sort((a, b) => b.share - a.share);
    return found.length ? fact("Components", ...found.flatMap(({ label, share }, n) => {
      const { name, colour } = byLabel.get(label);
      return [...(n ? [document.createElement("br")] : []), swatch(colour), `${name} ${Math.round(100 * share)}\u202f%`];
    })) : [];
  }

  function showPixel(pixel) {
    const cluster = byLabel.get(pixel.label), state = gx.scene.states[pixel.state];
    const speck = gx.speckAt(pixel.x, pixel.y);
    const um = (place) => Number((place * gx.scene.um).toPrecision(6));
    const meaning = document.createElement("small");
    meaning.textContent = state.meaning;
    $("#facts").replaceChildren(
      ...fact("Place", `x ${pixel.x}, y ${pixel.y}; ${um(pixel.x)}, ${um(pixel.y)}\u202fµm`),
      ...fact("Label", ...(cluster ? [swatch(cluster.colour), `${cluster.name}, label ${cluster.label}`] : ["none"])),
      ...fact("State", ...(pixel.state ? [swatch(state.colour)] : []), state.name, meaning),
      ...fact("Site", pixel.site ? `${pixel.site}: ${gx.scene.sites[pixel.site - 1]}` : "none"),
      ...gx.scene.values.flatMap((layer, n) => (layer.label ? [] : fact(layer.title, said(layer, pixel.codes[n])))),
      ...shares(pixel),
      ...(speck ? fact("Speck", swatch(speck.kind.colour), `${speck.number}: ${speck.kind.name}; z ${speck.z.toFixed(1)}, p ${speck.p}`) : []),
    );
    document.documentElement.dataset.pixel = `${pixel.x} ${pixel.y}`;
    if (!gx.view.selected) showCard(speck ? speck.kind.card : cardOf(pixel.label));
  }

  // The place under the pointer, or null beside the map.
  function under(event) {
    const box = $("#map").getBoundingClientRect();
    const point = gx.viewer.viewport.viewerElementToImageCoordinates(
      new OpenSeadragon.Point(event.clientX - box.left, event.clientY - box.top));
    const x = Math.floor(point.x), y = Math.floor(point.y);
    return x >= 0 && y >= 0 && x < gx.scene.width && y < gx.scene.height ? { x, y } : null;
  }

  // Wait until the pointer rests a moment: far out, every move would read another tile.
  function hover(event) {
    clearTimeout(hovered);
    if (gx.pinned) return;
    const place = under(event);
    if (place) hovered = setTimeout(() => readPixel(place.x, place.y).then(showPixel, gx.fail), 40);
  }

  // Hold a pixel; the chosen cluster becomes that of the pixel unless it was chosen with it.
  async function pin(place, chosen = false) {
    clearTimeout(hovered);
    gx.pinned = place;
    gx.tellSoon();
    gx.drawMarks();
    $("#pinned").hidden = !place;
    if (!place) return;
    const pixel = await readPixel(place.x, place.y).catch(gx.fail);
    if (!pixel) return;
    showPixel(pixel);
    if (!chosen && gx.view.selected && pixel.label !== gx.view.selected) select(pixel.label);
  }

  // A cluster -------------------------------------------------------------------------------------------
  const cardOf = (label) => (byLabel.has(label) ? String(label) : "");
  let cardShown = "";
  async function showCard(card) {
    if (card === cardShown) return;
    cardShown = card;
    const text = card ? await gx.fetchText(`cards/${card}`).catch(gx.fail) : "";
    if (card === cardShown) $("#card").innerHTML = text || "";
  }

  function select(label) {
    all("#clusters tr.on").forEach((row) => row.classList.remove("on"));
    all(".pick").forEach((button) => button.setAttribute("aria-pressed", String(Number(button.dataset.cluster) === label)));
    gx.look({ selected: label });
    const row = $(`#clusters tr[data-label="${label}"]`);
    if (row) { row.classList.add("on"); row.scrollIntoView({ block: "nearest" }); }
    placeShown = 0;
    tellPlaces();
    gx.tellSoon();
    if (label) showCard(cardOf(label));
  }

  function tellPlaces() {
    const places = (gx.boxes[gx.view.selected] || []).length - 1;
    $("#travel").hidden = places < 1;
    $("#next").hidden = places < 2;
    $("#where").textContent = placeShown ? `place ${placeShown} of ${places}` : "";
  }

  function travel(step) {
    const boxes = gx.boxes[gx.view.selected];
    placeShown = step ? (placeShown % (boxes.length - 1)) + 1 : 0;
    gx.fly(boxes[placeShown]);
    tellPlaces();
  }

  function listen() {
    $("#map").addEventListener("pointermove", hover);
    gx.viewer.addHandler("canvas-click", (event) => {
      if (event.quick) pin(under(event.originalEvent));
    });
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape") { pin(null); select(0); }
    });
    $("#unpin").addEventListener("click", () => pin(null));
    all(".pick").forEach((button) => button.addEventListener("click", () => {
      const label = Number(button.dataset.cluster);
      select(label === gx.view.selected ? 0 : label);
    }));
    $("#whole").addEventListener("click", () => travel(0));
    $("#next").addEventListener("click", () => travel(1));
    $("#free").addEventListener("click", () => select(0));
  }

  Object.assign(gx, { listen, select, pin, readPixel });
})();
