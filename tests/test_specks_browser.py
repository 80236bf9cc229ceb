"""Specks in a real browser: the flight from one to the next, the rings, the list, and the page's marks."""

import base64
import io
import json
import shutil

import numpy as np
import pytest
from accessible import findings
from browser import Page
from gigaxas.execution.runner import Runner
from gigaxas.workflow.report import report
from gigaxas.workflow.resolve import reopen
from PIL import Image
from speck_runs import HIDDEN, SHAPE

pytestmark = pytest.mark.browser

READY = "gx.viewer.world.getItemAt(0).getFullyLoaded()"
RESTS = (
    "Math.abs(gx.viewer.viewport.getZoom(true) / gx.viewer.viewport.getZoom() - 1) < 1e-3 && "
    "gx.viewer.viewport.getCenter(true).distanceTo(gx.viewer.viewport.getCenter()) < 1e-5"
)


@pytest.fixture(scope="module")
def found(speck_run):
    return report(reopen(speck_run), Runner()).specks


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        pytest.skip("no Chromium here; install chromium to test specks in a browser")
    page = Page(chromium, tmp_path_factory.mktemp("profile"))
    page.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-reduced-motion", "value": "reduce"}])
    yield page
    page.close()


def opened(browser, folder, anchor=""):
    browser.errors.clear()
    browser.open("about:blank")
    browser.open(f"{(folder / 'report' / 'index.html').as_uri()}{anchor}")
    browser.wait(READY)


@pytest.fixture
def page(browser, speck_run, found):
    opened(browser, speck_run.output)
    yield browser
    assert browser.errors == []


def key(page, letter):
    for kind in ("keyDown", "keyUp"):
        page.send("Input.dispatchKeyEvent", type=kind, key=letter, code=f"Key{letter.upper()}", text=letter)


def lies_at(page, row):
    """Whether a speck has been flown to: it is in the middle, held, listed, and the address tells it."""
    page.wait(f"document.documentElement.dataset.speck === '{row.number}'")
    page.wait(RESTS)
    middle = page.run("gx.viewer.viewport.viewportToImageCoordinates(gx.viewer.viewport.getCenter(true))")
    assert middle["x"] == pytest.approx(row.x + row.width / 2, abs=0.1)
    assert middle["y"] == pytest.approx(row.y + row.height / 2, abs=0.1)
    y, x = row.y + row.height // 2, row.x + row.width // 2
    page.wait(f"document.documentElement.dataset.pixel === '{x} {y}'")
    facts = page.run("document.querySelector('#facts').innerText")
    assert f"{row.number}: {row.name}; z {row.distance:.1f}" in facts
    assert page.run("location.hash") == f"#speck={row.number}"
    assert page.run("document.querySelector('#specks [aria-current]').dataset.speck") == str(row.number)
    assert f"{row.number} of 6: {row.name}" == page.run("document.querySelector('#speck-told').innerText")


def test_buttons_and_keys_fly_from_one_to_the_next(page, found):
    page.run("document.querySelector('#next-speck').click()")
    lies_at(page, found.rows[0])
    key(page, "n")
    lies_at(page, found.rows[1])
    key(page, "p")
    lies_at(page, found.rows[0])
    page.run("document.querySelector('#previous-speck').click()")
    lies_at(page, found.rows[-1])
    page.run("document.querySelector('#map .openseadragon-canvas').focus()")
    key(page, "n")
    lies_at(page, found.rows[0])
    page.wait("document.querySelector('#card .card')?.id === 'kind-1'")
    assert findings(page) == []


def test_keys_sleep_where_specks_are_not_shown(page):
    page.run("document.querySelector('#speckled').click()")
    key(page, "n")
    assert page.run("document.documentElement.dataset.speck") is None
    page.run("document.querySelector('#specks a[data-speck=\"2\"]').click()")
    page.wait("document.documentElement.dataset.speck === '2'")
    assert page.run("document.querySelector('#speckled').checked") is True


def test_the_list_has_hidden_kinds_first_and_leads_to_each(page, found):
    names = page.run("[...document.querySelectorAll('#specks a > span:last-child')].map((e) => e.innerText)")
    assert len(names) == len(found.rows)
    for text, row in zip(names, found.rows, strict=True):
        assert text.startswith(f"{row.number} {row.name}")
        assert ("piece, " in text) == (row.number > len(HIDDEN))
    page.run("document.querySelector('#specks a[data-speck=\"5\"]').click()")
    lies_at(page, found.rows[4])
    label = next(kind.cluster for kind in found.kinds if kind.number == found.rows[4].kind)
    page.wait(f"document.querySelector('#card .card')?.id === 'cluster-{label}'")


def test_the_address_opens_a_speck(browser, speck_run, found):
    opened(browser, speck_run.output, "#speck=3")
    lies_at(browser, found.rows[2])
    browser.run("document.querySelector('#home').click()")
    browser.run("location.hash = '#speck=6'")
    lies_at(browser, found.rows[5])
    assert browser.errors == []


def test_the_report_leads_there(browser, speck_run, found):
    browser.open((speck_run.output / "report.html").as_uri())
    browser.wait("document.documentElement.dataset.map")
    assert findings(browser) == []
    box, frame = (
        browser.run(f"document.querySelector('{name}').getBoundingClientRect().toJSON()")
        for name in ("#specks-seen circle", "#labels")
    )
    row = found.rows[0]
    assert (box["x"] + box["width"] / 2 - frame["x"]) / frame["width"] * SHAPE[1] == pytest.approx(
        row.x + 0.5, abs=0.3
    )
    browser.run("document.querySelector('#kind-1 a').click()")
    browser.wait(READY)
    lies_at(browser, row)


def pixels(page):
    picture = page.send("Page.captureScreenshot", format="png")["data"]
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(picture))).convert("RGB")).astype(int)


def coloured(page, colour, row):
    """How many pixels of the screen round a speck have the colour of its kind."""
    page.run("new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)))")
    place = page.run(
        f"gx.viewer.viewport.imageToWindowCoordinates(new OpenSeadragon.Point({row.x + 0.5}, {row.y + 0.5}))"
    )
    x, y = round(place["x"]), round(place["y"])
    wanted = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])
    near = pixels(page)[y - 16 : y + 17, x - 16 : x + 17]
    return int(np.count_nonzero(np.abs(near - wanted).max(axis=-1) < 30))


def test_rings_keep_their_size_and_pixels_show_near(page, found):
    row, colour = found.rows[0], page.run("gx.scene.specks.kinds[0].colour")
    rings = []
    for zoom in (1, 3):
        page.run(f"gx.viewer.viewport.zoomTo({zoom} * gx.viewer.viewport.getHomeZoom(), null, true); 0")
        point = f"gx.viewer.viewport.imageToViewportCoordinates({row.x}, {row.y})"
        page.run(f"gx.viewer.viewport.panTo({point}, true); 0")
        page.wait(READY)
        rings.append(coloured(page, colour, row))
    assert rings[0] > 60
    assert rings[1] == pytest.approx(rings[0], rel=0.25) or rings[1] > rings[0]
    page.run(
        "gx.viewer.viewport.fitBounds("
        f"gx.viewer.viewport.imageToViewportRectangle({row.x - 10}, {row.y - 10}, 21, 21), true); 0"
    )
    page.wait(READY)
    assert coloured(page, colour, row) > 600
    page.run("document.querySelector('#speckled').click()")
    assert coloured(page, colour, row) == 0


def test_ten_thousand_specks_stay_light(browser, speck_run, found, tmp_path):
    shutil.copytree(speck_run.output / "report", tmp_path / "report")
    path = tmp_path / "report" / "scene.js"
    scene = json.loads(path.read_text().removeprefix("gx.scene="))
    rng = np.random.default_rng(0)
    places = np.stack([rng.integers(0, SHAPE[1], 10_000), rng.integers(0, SHAPE[0], 10_000)], axis=1)
    scene["specks"]["rows"] = [
        [int(n >= 100), int(x), int(y), 1, 1, 9.0, "10⁻³⁰"] for n, (x, y) in enumerate(places)
    ]
    path.write_text(f"gx.scene={json.dumps(scene)}\n")
    opened(browser, tmp_path)
    assert browser.run("document.querySelectorAll('*').length") < 1000
    browser.run("document.querySelector('#previous-speck').click()")
    browser.wait("document.documentElement.dataset.speck === '10000'")
    assert browser.run("document.querySelector('#page-told').innerText") == "9951 to 10000 of 10000"
    assert browser.run("document.querySelector('#later-specks').disabled") is True
    browser.run("document.querySelector('#earlier-specks').click()")
    assert browser.run("document.querySelector('#page-told').innerText") == "9901 to 9950 of 10000"
    browser.run("gx.viewer.viewport.zoomTo(0.1 * gx.viewer.viewport.getHomeZoom(), null, true); 0")
    browser.wait(READY)
    stamped, stroked = browser.run(
        "(() => { const drawn = { drawImage: 0, stroke: 0, strokeRect: 0, fillRect: 0 }; "
        "const pen = CanvasRenderingContext2D.prototype; "
        "for (const name of Object.keys(drawn)) { const draw = pen[name]; "
        "pen[name] = function (...of) { drawn[name] += 1; return draw.apply(this, of); }; } "
        "gx.drawMarks(); return [drawn.drawImage, drawn.stroke + drawn.strokeRect + drawn.fillRect]; })()"
    )
    assert 50 < stamped < 1_000
    assert stroked < 20
    assert browser.errors == []
