"use strict";
// From numbers to colours: tables for labels, states and values, and the painting of one tile.
(() => {
  const FOG = 0.84, DARK = 0xff1f1a17;
  let tables = null;

  const parse = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
  const word = ([red, green, blue]) => (0xff000000 | (blue << 16) | (green << 8) | red) >>> 0;

  // A pale colour for a site that names no cluster.
  function pale(number) {
    const turn = ((number * 47) % 360) * Math.PI / 180;
    return [0, 2.1, 4.2].map((phase) => Math.round(168 + 34 * Math.cos(turn - phase)));
  }

  function build() {
    const { scene } = gx;
    const paper = parse(getComputedStyle(document.documentElement).getPropertyValue("--void").trim());
    const count = scene.sites.length + 1;
    const label = new Uint32Array(count).fill(word(paper)), site = new Uint32Array(count);
    for (let n = 1; n < count; n++) site[n] = word(pale(n));
    site[0] = word(paper);
    for (const cluster of scene.clusters) {
      label[cluster.label] = site[cluster.label] = word(parse(cluster.colour));
    }
    const state = Uint32Array.from(scene.states, ({ colour }, n) => word(n ? parse(colour) : paper));
    const ramp = Uint32Array.of(word(paper), ...scene.ramp.map((hex) => word(parse(hex))));
    tables = { label, site, state, ramp, shade: shades() };
  }

  // How much light the shade leaves for each code of the iron density.
  function shades() {
    const layer = gx.scene.values.find(({ name }) => name === "density");
    if (!layer || !gx.scene.shade) return null;
    const [low, high] = gx.scene.shade;
    return Float32Array.from({ length: 256 }, (_, code) => {
      const value = layer.low + ((code - 1) / 254) * (layer.high - layer.low);
      const light = code ? Math.min(1, Math.max(0, (value - low) / (high - low))) : 1;
      return 1 - gx.scene.darkest * (1 - light);
    });
  }

  function plain(tile, layer) {
    const { label, site, state } = tile;
    switch (layer) {
      case "label": return (i) => tables.label[label[i]];
      case "kept": return (i) => tables.label[state[i] === 1 || state[i] === 2 ? label[i] : 0];
      case "site": return (i) => tables.site[site[i]];
      case "state": return (i) => tables.state[state[i]];
      case "components": return mixed(tile);
      default: return (i) => tables.ramp[tile[layer][i]];
    }
  }

  // The colours of the components of a pixel, by their shares.
  function mixed(tile) {
    const count = tile.label.length, bytes = tile.components;
    const own = gx.scene.values.filter(({ group }) => group === "components").map((layer) => tables.label[layer.label]);
    return (i) => {
      let red = 0, green = 0, blue = 0, sum = 0;
      for (let k = 0; k < own.length; k++) {
        const share = Math.max(0, bytes[k * count + i] - 1);
        red += share * (own[k] & 255); green += share * ((own[k] >> 8) & 255); blue += share * ((own[k] >> 16) & 255);
        sum += share;
      }
      return sum ? (0xff000000 | ((blue / sum) << 16) | ((green / sum) << 8) | (red / sum)) >>> 0 : tables.state[0];
    };
  }

  // One colour drawn towards another, channel by channel, and darkened.
  function blend(colour, other, part, light) {
    const own = (1 - part) * light, more = part;
    const red = (colour & 255) * own + (other & 255) * more;
    const green = ((colour >> 8) & 255) * own + ((other >> 8) & 255) * more;
    const blue = ((colour >> 16) & 255) * own + ((other >> 16) & 255) * more;
    return (0xff000000 | (blue << 16) | (green << 8) | red) >>> 0;
  }

  // The groups of measured maps that painting a view needs.
  function needs(view) {
    const shaded = view.shade && shadable(view.layer) && gx.scene.shade;
    const own = gx.scene.values.some(({ group }) => group === view.layer);
    return [...(own ? [view.layer] : []), ...(shaded ? ["density"] : [])];
  }
  const shadable = (layer) => ["label", "kept", "site", "components"].includes(layer);

  // Paint a tile: its layer, the shade of the iron density, and all but the chosen cluster in the dark.
  function paint(pen, tile, view) {
    if (!tables) build();
    const image = pen.createImageData(tile.width, tile.height);
    const words = new Uint32Array(image.data.buffer);
    const colour = plain(tile, view.layer);
    const light = view.shade && shadable(view.layer) && tables.shade;
    for (let i = 0; i < words.length; i++) {
      const hidden = view.selected && tile.label[i] !== view.selected ? FOG : 0;
      const bright = light && tile.label[i] ? light[tile.density[i]] : 1;
      words[i] = hidden || bright < 1 ? blend(colour(i), DARK, hidden, bright) : colour(i);
    }
    pen.putImageData(image, 0, 0);
  }

  Object.assign(gx, { paint, needs, shadable, forgetColours: () => { tables = null; } });
})();
