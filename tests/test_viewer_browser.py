"""The report folder in a real browser, opened from disk: what a person can see and ask there."""

import base64
import io
import json
import re
import shutil
import time

import numpy as np
import pytest
import viewer_runs
from accessible import findings
from browser import Page
from gigaxas.config.paths import paths_of
from gigaxas.execution.runner import Runner
from gigaxas.report.palette import shaded
from gigaxas.stores.cells import read_cells
from gigaxas.stores.io import chunks
from gigaxas.stores.result import open_result
from gigaxas.workflow.report import report
from gigaxas.workflow.resolve import reopen
from PIL import Image
from skimage.draw import polygon2mask

pytestmark = pytest.mark.browser

SHAPE = (70, 1100)
READY = "gx.viewer.world.getItemAt(0).getFullyLoaded()"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("viewed")
    config = viewer_runs.finished_run(folder, SHAPE)
    viewer_runs.add_components(config)
    report(reopen(config), Runner())
    return config


@pytest.fixture(scope="module")
def maps(run):
    with open_result(run.output) as result:
        return result.load()


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        pytest.skip("no Chromium here; install chromium to test the report folder in a browser")
    page = Page(chromium, tmp_path_factory.mktemp("profile"))
    yield page
    page.close()


@pytest.fixture
def page(browser, run):
    """The page, opened from disk as by a double click, its first tiles shown."""
    browser.asked.clear()
    browser.errors.clear()
    browser.theme("light")
    browser.open("about:blank")
    browser.open((run.output / "report" / "index.html").as_uri())
    browser.wait(READY)
    yield browser
    assert browser.errors == []
    assert [
        address for address in browser.asked if not address.startswith(("file:", "data:", "about:"))
    ] == []


def text(page, selector):
    return page.run(f"document.querySelector({json.dumps(selector)}).innerText").replace("\u202f", " ")


def look_at(page, x, y):
    """Bring a pixel to the middle of the map, so near that it is a square of many on the screen."""
    box = f"gx.viewer.viewport.imageToViewportRectangle({x - 3}, {y - 3}, 7, 7)"
    page.run(f"gx.viewer.viewport.fitBounds({box}, true); 0")
    page.wait(READY)


def settle(page, layer, selected=0):
    page.wait(f"document.documentElement.dataset.painted === '{layer} {selected}'")


def middle(page):
    """The middle of the map on the screen."""
    box = page.run("document.querySelector('#map').getBoundingClientRect().toJSON()")
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def colour_at(page, x, y):
    """The colour on the screen where a pixel of the map lies."""
    look_at(page, x, y)
    page.run("new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)))")
    picture = page.send("Page.captureScreenshot", format="png")["data"]
    image = Image.open(io.BytesIO(base64.b64decode(picture))).convert("RGB")
    left, top = middle(page)
    return image.getpixel((round(left) + 3, round(top) + 3))


def rgb(colour):
    return tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))


def places(maps, count=4, seed=1):
    """Pixels of different labels and states, void among them, far from each other."""
    rng = np.random.default_rng(seed)
    found = [viewer_runs.NEEDLE[::-1]]
    for state in (0, 1):
        y, x = np.nonzero(maps.state.values == state)
        found += [(int(x[i]), int(y[i])) for i in rng.integers(0, len(y), count)]
    return found


def test_each_layer_shows_the_colour_of_every_pixel(page, maps, run):
    page.run("document.querySelector('#shading').click()")
    scene = page.run("gx.scene")
    cluster = {row["label"]: rgb(row["colour"]) for row in scene["clusters"]}
    void = rgb(page.run("getComputedStyle(document.documentElement).getPropertyValue('--void').trim()"))
    state = {n: rgb(row["colour"]) if n else void for n, row in enumerate(scene["states"])}
    expected = {
        "label": lambda y, x: cluster.get(int(maps.label[y, x]), void),
        "kept": lambda y, x: cluster.get(int(maps.kept[y, x]), void),
        "state": lambda y, x: state[int(maps.state[y, x])],
    }
    own = [layer for layer in scene["values"] if layer["group"] == "components"]
    colours = np.array([cluster[layer["label"]] for layer in own])
    ratios = chunks.read(paths_of(run).composition, "ratio", (slice(None),) * 3)

    def mixed(y, x):
        if not maps.state[y, x]:
            return void
        share = np.rint(254 * ratios[:, y, x])
        return tuple((share @ colours / share.sum()).astype(int).tolist())

    low, high = next((v["low"], v["high"]) for v in scene["values"] if v["name"] == "correlation")
    ramp = [rgb(colour) for colour in scene["ramp"]]

    def measured(y, x):
        part = (float(maps.correlation[y, x]) - low) / (high - low)
        return ramp[int(np.rint(254 * np.clip(part, 0, 1)))] if maps.state[y, x] else void

    expected |= {"components": mixed, "correlation": measured}
    for layer, colour in expected.items():
        page.run(f"document.querySelector('input[value={layer}]').click()")
        settle(page, layer)
        for x, y in places(maps):
            assert colour_at(page, x, y) == colour(y, x), (layer, x, y)


def test_a_click_tells_the_pixel_exactly(page, maps):
    scene = page.run("gx.scene")
    names = {row["label"]: row["name"] for row in scene["clusters"]}
    for x, y in places(maps, count=2):
        look_at(page, x, y)
        page.click(*middle(page))
        page.wait(f"document.documentElement.dataset.pixel === '{x} {y}'")
        facts = text(page, "#facts")
        label, state = int(maps.label[y, x]), int(maps.state[y, x])
        assert f"x {x}, y {y}; {x * 0.5:g}, {y * 0.5:g} µm" in facts
        assert (f"{names[label]}, label {label}" if label else "Label\nnone") in facts
        assert scene["states"][state]["name"] in facts
        if state:
            layer = next(layer for layer in scene["values"] if layer["name"] == "correlation")
            shown = float(facts.split("Correlation\n")[1].split("\n")[0].strip("≤≥ "))
            step = (layer["high"] - layer["low"]) / 254
            value = np.clip(float(maps.correlation[y, x]), layer["low"], layer["high"])
            assert shown == pytest.approx(value, abs=1.1 * step)
            assert "Components" in facts
            page.wait(f"document.querySelector('#card .card')?.id === 'cluster-{label}'")
        assert page.run("document.querySelector('#pinned').hidden") is False
        page.run("document.querySelector('#unpin').click()")


def test_the_pointer_alone_tells_the_pixel_under_it(page, maps):
    x, y = viewer_runs.NEEDLE[::-1]
    look_at(page, x + 2, y + 1)
    page.mouse("mouseMoved", *middle(page))
    page.wait(f"document.documentElement.dataset.pixel === '{x + 2} {y + 1}'")
    assert page.run("document.querySelector('#pinned').hidden") is True


def test_needles_come_first_and_light_up(page, maps):
    rows = page.run(
        "[...document.querySelectorAll('#clusters tr[data-label]')].map((row) => row.dataset.label)"
    )
    sizes = dict(zip(maps.cluster.values.tolist(), maps.pixels.values.tolist(), strict=True))
    needle = min(sizes, key=sizes.get)
    assert int(rows[0]) == needle
    assert "Outside the library, smallest first" in text(page, "#clusters tbody .group")
    assert "beyond the noise from phase 4" in text(page, "#clusters .why")
    page.run(f"document.querySelector('.pick[data-cluster=\"{needle}\"]').click()")
    settle(page, "label", needle)
    page.run("document.querySelector('#whole').click()")
    page.wait("Math.abs(gx.viewer.viewport.getZoom(true) / gx.viewer.viewport.getZoom() - 1) < 1e-3")
    y, x = viewer_runs.NEEDLE
    centre = page.run("gx.viewer.viewport.viewportToImageCoordinates(gx.viewer.viewport.getCenter())")
    assert abs(centre["x"] - x - 4.5) < 2
    assert abs(centre["y"] - y - 4.5) < 2
    page.run("document.querySelector('#shading').click()")
    settle(page, "label", needle)
    bright = rgb(next(row["colour"] for row in page.run("gx.scene.clusters") if row["label"] == needle))
    assert maps.label[y + 4, x + 4] == needle
    assert colour_at(page, x + 4, y + 4) == bright
    far = next((u, v) for u, v in places(maps) if maps.label[v, u] not in (0, needle))
    assert sum(colour_at(page, *far)) < 0.5 * sum(bright)
    page.wait(f"document.querySelector('#card .card')?.id === 'cluster-{needle}'")
    page.send("Input.dispatchKeyEvent", type="keyDown", key="Escape")
    settle(page, "label", 0)


def test_the_wheel_zooms_and_the_scale_follows(page):
    before = page.run("gx.viewer.viewport.getZoom()"), text(page, "#scale")
    x, y = middle(page)
    for _ in range(6):
        page.mouse("mouseWheel", x, y, deltaX=0, deltaY=-300)
        time.sleep(0.08)
    page.wait(f"gx.viewer.viewport.getZoom(true) > 2 * {before[0]}")
    assert text(page, "#scale") != before[1]
    assert text(page, "#scale").endswith("µm")
    page.run("document.querySelector('#home').click()")
    page.wait(f"Math.abs(gx.viewer.viewport.getZoom(true) - {before[0]}) < 0.01")


def test_dark_paints_void_dark(page, maps):
    y, x = (int(v[0]) for v in np.nonzero(maps.state.values == 0))
    light = sum(colour_at(page, x, y))
    page.theme("dark")
    page.wait("getComputedStyle(document.documentElement).getPropertyValue('--void').trim() !== '#eceae5'")
    page.run("new Promise((go) => setTimeout(go, 300))")
    assert sum(colour_at(page, x, y)) < 0.4 * light


def test_the_address_opens_a_place(page, run):
    y, x = viewer_runs.NEEDLE
    address = (run.output / "report" / "index.html").as_uri()
    page.open("about:blank")
    page.open(f"{address}#layer=state&pixel={x},{y}")
    page.wait(f"document.documentElement.dataset.pixel === '{x} {y}'")
    assert page.run("document.querySelector('input[name=layer]:checked').value") == "state"


def test_a_missing_tile_is_said_so(browser, run, tmp_path):
    folder = tmp_path / "report"
    shutil.copytree(run.output / "report", folder)
    shutil.rmtree(folder / "tiles" / "map" / "0")
    browser.open((folder / "index.html").as_uri())
    browser.wait("!document.querySelector('#trouble').hidden", 60)
    assert "is missing" in text(browser, "#trouble")
    assert "write the report again" in text(browser, "#trouble")


@pytest.mark.parametrize("width", [1400, 700])
def test_nothing_runs_over_the_edge(page, width):
    page.send(
        "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False
    )
    assert page.run("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    page.send("Emulation.setDeviceMetricsOverride", width=1400, height=900, deviceScaleFactor=1, mobile=False)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_on_the_map_and_the_summary(page, maps, run, theme):
    page.theme(theme)
    x, y = places(maps)[-1]
    look_at(page, x, y)
    page.click(*middle(page))
    label = int(maps.label[y, x])
    page.run(f"document.querySelector('.pick[data-cluster=\"{label}\"]').click()")
    page.wait(f"document.querySelector('#card .card')?.id === 'cluster-{label}'")
    assert findings(page) == []
    page.open((run.output / "report.html").as_uri())
    page.wait("document.documentElement.dataset.map")
    assert findings(page) == []


def opened_at(page, run, anchor):
    page.open("about:blank")
    page.open(f"{(run.output / 'report' / 'index.html').as_uri()}{anchor}")
    page.wait(READY)


def anchor_of(page):
    """The parts of the address after # once it has followed."""
    page.run("gx.tell(); 0")
    return dict(part.split("=") for part in page.run("location.hash").removeprefix("#").split("&") if part)


def screen_pixels(page):
    return page.run("gx.viewer.viewport.viewportToImageZoom(gx.viewer.viewport.getZoom())")


def test_a_link_opens_the_place_the_label_and_the_zoom(page, maps, run):
    x, y = places(maps)[-1]
    label = int(maps.label[y, x])
    other = next(int(k) for k in maps.cluster.values if k != label)
    opened_at(page, run, f"#x={x}&y={y}&label={other}&zoom=6&layer=state")
    page.wait(f"document.documentElement.dataset.pixel === '{x} {y}'")
    settle(page, "state", other)
    assert page.run("document.querySelector('#pinned').hidden") is False
    assert page.run("document.querySelector('.pick[aria-pressed=true]').dataset.cluster") == str(other)
    assert screen_pixels(page) == pytest.approx(6, rel=1e-2)
    centre = page.run("gx.viewer.viewport.viewportToImageCoordinates(gx.viewer.viewport.getCenter())")
    assert (centre["x"], centre["y"]) == (pytest.approx(x + 0.5, abs=0.1), pytest.approx(y + 0.5, abs=0.1))
    assert page.run("document.querySelector('#trouble').hidden") is True
    assert anchor_of(page) == {"x": str(x), "y": str(y), "label": str(other), "zoom": "6", "layer": "state"}


def test_the_address_follows_what_is_looked_at(page, maps):
    assert anchor_of(page) == {}
    x, y = next((x, y) for x, y in places(maps) if maps.label[y, x])
    look_at(page, x, y)
    page.click(*middle(page))
    page.wait(f"location.hash.startsWith('#x={x}&y={y}&zoom=')")
    label = int(maps.label[y, x])
    page.run(f"document.querySelector('.pick[data-cluster=\"{label}\"]').click()")
    page.wait(f"location.hash.includes('label={label}')")
    page.run("window.taken = null; navigator.clipboard.writeText = async (text) => { taken = text; }")
    page.run("document.querySelector('#copy-link').click()")
    page.wait("taken === location.href && document.querySelector('#copied').textContent === 'Link copied'")
    far = 900 if x < 500 else 100
    look_at(page, far, 30)
    seen = anchor_of(page)
    assert (int(seen["x"]), int(seen["y"])) == (far, 30), "what is held is out of sight"
    page.run("document.querySelector('#free').click(); document.querySelector('#unpin').click()")
    page.run("document.querySelector('#home').click()")
    page.wait("location.hash === ''")


@pytest.mark.parametrize(
    ("anchor", "said"),
    [
        ("#x=99999&y=3", "x=99999: expected a whole number from 0 to 1099"),
        ("#x=5&y=-1", "y=-1: expected a whole number from 0 to 69"),
        ("#x=5", "y=: expected a whole number from 0 to 69"),
        ("#label=777", "label=777: this map has none"),
        ("#speck=1", "speck=1: this map has none"),
        ("#layer=gold", "layer=gold: this map has none"),
        ("#x=5&y=5&zoom=fast", "zoom=fast: expected pixels of the screen for one of the map"),
    ],
)
def test_an_address_of_what_is_not_there_is_told(page, run, anchor, said):
    opened_at(page, run, anchor)
    page.wait("!document.querySelector('#trouble').hidden")
    assert text(page, "#trouble") == f"The address asks for what is not here: {said}."
    if "zoom" not in anchor:
        assert page.run("gx.pinned") is None
        assert page.run("gx.view.selected") == 0
    page.run("location.hash = '#x=5&y=6'")
    page.wait("document.querySelector('#trouble').hidden && gx.pinned?.y === 6")


def test_the_map_is_shaded_by_the_rule_of_the_palette(page, maps, run):
    low, high = page.run("gx.scene.shade")
    full = (slice(None), slice(None))
    thin, thick = (chunks.read(paths_of(run).cube, name, full) for name in ("mu_low", "mu_high"))
    density = (thick - thin)[: SHAPE[0], : SHAPE[1]]
    light = np.clip((density - low) / (high - low), 0, 1)
    colours = {row["label"]: rgb(row["colour"]) for row in page.run("gx.scene.clusters")}
    labelled = np.where(maps.label.values > 0, light, np.nan)
    for y, x in (np.unravel_index(find(labelled), SHAPE) for find in (np.nanargmin, np.nanargmax)):
        colour = np.array(colours[int(maps.label[y, x])], float)
        expected = shaded(colour, light[y, x])
        np.testing.assert_allclose(colour_at(page, int(x), int(y)), expected, atol=2)
    assert np.nanmin(labelled) == 0


def drag(page, corners):
    """Draw with the lasso round corners on the screen."""
    page.run("document.querySelector('#lasso').click()")
    page.mouse("mousePressed", *corners[0], button="left", buttons=1, clickCount=1)
    for x, y in corners[1:]:
        page.mouse("mouseMoved", x, y, button="left", buttons=1)
    page.mouse("mouseReleased", *corners[-1], button="left", clickCount=1)


def told_shares(page):
    rows = page.run(
        "[...document.querySelectorAll('#region-shares tr')]"
        ".map((row) => [...row.cells].map((cell) => cell.innerText))"
    )
    return {name: (share, int(pixels.replace("\u202f", ""))) for name, share, pixels in rows}


def expected_shares(page, maps, inside):
    names = {0: "void"} | {row["label"]: row["name"] for row in page.run("gx.scene.clusters")}
    labels, counts = np.unique(maps.label.values[inside], return_counts=True)
    return {names[int(label)]: int(count) for label, count in zip(labels, counts, strict=True)}


def check_mean(page, run, inside):
    """The spectrum shown is the mean of the cells that lie inside by more than half."""
    side = page.run("gx.scene.cells.side")
    means, pixels = read_cells(run.output / "result.zarr")
    starts = [np.arange(0, size, side) for size in SHAPE]
    share = np.add.reduceat(np.add.reduceat(inside.astype(float), starts[0], 0), starts[1], 1)
    size = np.add.reduceat(np.add.reduceat(np.ones(SHAPE), starts[0], 0), starts[1], 1)
    weight = np.where(2 * share > size, pixels, 0)
    page.wait("document.documentElement.dataset.mean")
    shown = page.run("gx.regionMean")
    assert (shown["cells"], shown["pixels"], shown["step"]) == ((weight > 0).sum(), weight.sum(), side)
    expected = (np.nan_to_num(means) * weight).sum(axis=(1, 2)) / weight.sum()
    np.testing.assert_allclose(shown["mean"], expected, atol=1e-4)
    assert f"of {side} × {side} pixels that lie inside by more than half" in text(page, "#region-mean")
    assert page.run("document.querySelector('#region-spectrum svg .curve').getAttribute('d').length > 100")


def test_a_lasso_tells_what_it_holds_to_the_pixel(page, maps, run):
    box = "gx.viewer.viewport.imageToViewportRectangle(440, -5, 160, 80)"
    page.run(f"gx.viewer.viewport.fitBounds({box}, true); 0")
    page.wait(READY)
    place = "gx.viewer.viewport.imageToWindowCoordinates(new OpenSeadragon.Point({}, {}))"
    corners = [(460.2, 4.1), (590.7, 11.3), (555.2, 66.8), (530.1, 20.4), (470.9, 60.2)]
    screen = [page.run(place.format(x, y)) for x, y in corners]
    drag(page, [(round(p["x"]), round(p["y"])) for p in screen])
    page.wait("document.documentElement.dataset.region")
    left, top = page.run("(({ x, y }) => [x, y])(document.querySelector('#map').getBoundingClientRect())")
    back = "gx.viewer.viewport.viewerElementToImageCoordinates(new OpenSeadragon.Point({}, {}))"
    drawn = [page.run(back.format(round(p["x"]) - left, round(p["y"]) - top)) for p in screen]
    inside = polygon2mask(SHAPE, [(p["y"] - 0.5, p["x"] - 0.5) for p in drawn])
    found = told_shares(page)
    expected = expected_shares(page, maps, inside)
    assert {name: pixels for name, (_, pixels) in found.items()} == expected
    labelled = inside.sum() - expected.get("void", 0)
    for name, (share, pixels) in found.items():
        assert share == ("–" if name == "void" else f"{100 * pixels / labelled:.2f}\u202f%")
    assert f"{inside.sum():,}".replace(",", " ") in text(page, "#region-told")
    check_mean(page, run, inside)
    assert page.run("gx.pinned") is None, "the lasso holds no pixel"
    assert page.run("document.querySelector('#lasso').getAttribute('aria-pressed')") == "false"
    assert findings(page) == []
    page.run("document.querySelector('#drop-region').click()")
    assert page.run("document.querySelector('#region').hidden") is True


def test_the_region_in_view_takes_whole_tiles_from_their_counts(page, maps, run):
    page.run("document.querySelector('#home').focus()")
    page.run("document.querySelector('#home').click()")
    page.wait("document.documentElement.dataset.map")
    page.run("gx.viewer.viewport.goHome(true); 0")
    page.asked.clear()
    page.run("document.querySelector('#in-view').click()")
    page.wait(f"document.documentElement.dataset.region === '{maps.label.size}'")
    found = {name: pixels for name, (_, pixels) in told_shares(page).items()}
    assert found == expected_shares(page, maps, np.ones(SHAPE, bool))
    assert sum("/tiles/counts/" in address for address in page.asked) == 3
    check_mean(page, run, np.ones(SHAPE, bool))


def test_a_region_smaller_than_a_cell_has_shares_and_no_spectrum(page, maps):
    look_at(page, 700, 20)
    page.run("document.querySelector('#in-view').click()")
    page.wait("document.documentElement.dataset.mean === '0'")
    assert "no cell of 32 × 32 pixels" in text(page, "#region-mean")
    assert sum(pixels for _, pixels in told_shares(page).values()) > 40


@pytest.mark.parametrize("name", ["report/index.html", "report.html"])
def test_on_paper_stands_all_but_the_controls(browser, run, name, tmp_path):
    browser.open("about:blank")
    browser.open((run.output / name).as_uri())
    browser.wait("document.documentElement.dataset.map")
    if name != "report.html":
        browser.wait(READY)
        browser.run("document.querySelector('#in-view').click()")
        browser.wait("document.documentElement.dataset.region")
    paper = {"width": 703, "height": 1032, "deviceScaleFactor": 1, "mobile": False}
    browser.send("Emulation.setDeviceMetricsOverride", **paper)
    browser.send("Emulation.setEmulatedMedia", media="print")
    try:
        shown = "[...document.querySelectorAll('{}')].filter((part) => part.checkVisibility()).length"
        for control in ("input", "nav:not(.top nav)", ".zoom", ".tools", ".hop", ".script", ".navigator"):
            assert browser.run(shown.format(control)) == 0, control
        rows = browser.run(shown.format("#clusters tr[data-label]"))
        assert rows == browser.run("document.querySelectorAll('#clusters tr[data-label]').length") > 2
        assert browser.run("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
        cut = (
            "[...document.querySelectorAll('body *')].filter((part) => part.checkVisibility() "
            "&& !part.closest('svg, .quiet, #map') && getComputedStyle(part).overflowX !== 'visible' "
            "&& (part.scrollWidth > part.clientWidth + 1 || part.scrollHeight > part.clientHeight + 1))"
            ".map((part) => part.className || part.id)"
        )
        assert browser.run(cut) == []
        pdf = base64.b64decode(browser.send("Page.printToPDF", printBackground=True)["data"])
    finally:
        browser.send("Emulation.setEmulatedMedia", media="")
        wide = {**paper, "width": 1400, "height": 900}
        browser.send("Emulation.setDeviceMetricsOverride", **wide)
    assert pdf.startswith(b"%PDF")
    (tmp_path / "page.pdf").write_bytes(pdf)
    assert 1 <= len(re.findall(rb"/Type\s*/Page\b", pdf)) <= 8
