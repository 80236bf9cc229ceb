"""The report: what is on the page, and that the page needs nothing else."""

import base64
import io
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from gigaxas.errors import InputError, RunError
from gigaxas.report import (
    STATE_NAMES,
    ClusterRow,
    ComponentRow,
    Finding,
    ReportData,
    Truth,
    TruthRow,
    render_report,
    views,
    write_label_png,
    write_report,
)
from gigaxas.report.figure import composite
from gigaxas.report.palette import DARKEST, colour_distance
from gigaxas.report.viewer import ViewerData, write_viewer
from PIL import Image

ENERGY = np.linspace(7009.2, 7321.2, 178)
VOID_TAGS = {"meta", "link", "img", "br", "input", "hr"}


def edge(position, height=1.0):
    step = 0.5 + np.arctan((ENERGY - position) / 2.0) / np.pi
    return height * (step + 0.4 * np.exp(-(((ENERGY - position - 4.0) / 4.0) ** 2)))


def cluster(label, name, pixels, total, error=0.31):
    reference = edge(7118.0 + label)
    spectrum = reference + 1e-3 * np.sin(ENERGY)
    r = float(np.corrcoef(spectrum, reference)[0, 1])
    return ClusterRow(
        label,
        name,
        r,
        error,
        pixels,
        pixels / total,
        pixels * 0.46**2,
        spectrum,
        np.full(178, 1e-4),
        reference,
    )


def scene(size=60, names=("Hematite", "Magnetite", "Needle phase"), labels=(8, 3, 41)):
    """A map of two halves, a void strip and a needle of the last label."""
    label = np.full((size, size), labels[0], np.uint16)
    label[:, size // 2 :] = labels[1]
    label[10:15, 40:45] = labels[2]
    label[-4:] = 0
    state = np.where(label == 0, 0, 1).astype(np.uint8)
    state[0, :5] = 3
    total = int((label > 0).sum())
    rows = [cluster(k, n, int((label == k).sum()), total) for k, n in zip(labels, names, strict=True)]
    rng = np.random.default_rng(0)
    return ReportData(
        title="Two halves and a needle",
        source="a test",
        energy=ENERGY,
        pixel_um=0.46,
        label=label,
        state=state,
        density=rng.uniform(0.5, 1.5, label.shape),
        correlation=rng.uniform(0.99, 1.0, label.shape),
        clusters=rows,
        states={name: int((state == k).sum()) for k, name in enumerate(STATE_NAMES)},
        site_names=("one", "two"),
        parameters=[("k_size", "5", "window of the clean-up")],
        noise={"c_ref": 2.7e4},
        timings=[("assign", 61.0), ("fill", 0.25)],
        truth=Truth([TruthRow("Hematite", 1000, 0.9876, float("nan"))], 0.99514, "Hematite"),
        warnings=["The noise is larger than the model says."],
        version="1.2.3",
    )


class Page(HTMLParser):
    """Reads a page: complains about tags that do not close, keeps texts and addresses."""

    def __init__(self, html):
        super().__init__()
        self.open, self.addresses, self.texts, self.tags = [], [], [], []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.addresses += [
            value for key, value in attrs if key in ("src", "href", "srcset", "action", "data")
        ]
        if tag not in VOID_TAGS:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] not in (["style"], ["script"]):
            self.texts.append(data)

    @property
    def text(self):
        return re.sub(r"\s+", " ", "".join(self.texts).replace("\u202f", " "))


def test_page_holds_the_figures():
    text = Page(render_report(scene())).text
    for part in (
        "Two halves and a needle",
        "3 600",
        "27.6 µm × 27.6 µm",
        "Needle phase",
        "0.74 %",
        "Under 1 % of the area",
        "99.51 %",
        "98.76 %",
        "The noise is larger than the model says.",
        "k_size",
        "27000",
        "1 min 01 s",
        "178 energies, 7009.2 to 7321.2 eV",
        "gigaxas 1.2.3",
    ):
        assert part in text, part
    assert "nan" not in text.lower().split()


def test_page_asks_for_nothing_and_is_accessible():
    html = render_report(scene())
    page = Page(html)
    assert "://" not in html
    assert "@import" not in html
    assert all(address.startswith(("data:", "#")) for address in page.addresses)
    assert "default-src 'none'" in html
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert {a[1:] for a in page.addresses if a.startswith("#")} <= set(ids)
    assert all("alt" in attrs for tag, attrs in page.tags if tag == "img")
    assert all(attrs.get("aria-label") for tag, attrs in page.tags if tag == "svg")
    assert all(attrs.get("scope") for tag, attrs in page.tags if tag == "th")


def test_every_text_is_escaped():
    hostile = "<script>alert(1)</script> & \"x\" 'y'"
    data = scene(names=(hostile, "b", "c"))
    data = replace(data, title=hostile, source=hostile, warnings=[hostile], version=hostile)
    data = replace(
        data, parameters=[(hostile, hostile, hostile)], timings=[(hostile, 1.0)], noise={hostile: hostile}
    )
    data = replace(data, truth=Truth([TruthRow(hostile, 1, 1.0, 1.0)], 1.0, hostile))
    html = render_report(data)
    assert html.count("<script>") == 1
    assert hostile in Page(html).text


def test_label_picture_tells_every_cluster_apart():
    data = scene()
    page = Page(render_report(data))
    source = next(attrs["src"] for tag, attrs in page.tags if attrs.get("id") == "labels")
    rows = {
        int(a["data-label"]): a["data-colour"] for tag, a in page.tags if tag == "tr" and "data-label" in a
    }
    seen = np.asarray(Image.open(io.BytesIO(decoded(source))).convert("RGBA")).astype(int)
    read = np.zeros(data.label.shape, int)
    for label, colour in rows.items():
        rgb = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
        read[(seen[..., :3] == rgb).all(-1) & (seen[..., 3] == 255)] = label
    np.testing.assert_array_equal(read, data.label)
    assert (seen[..., 3][data.label == 0] == 0).all()


def decoded(address):
    return base64.b64decode(address.split(",", 1)[1])


def test_the_largest_cluster_comes_first_whatever_the_order():
    data = scene()
    turned = replace(data, clusters=data.clusters[::-1])
    assert render_report(turned) == render_report(data)
    labels = [
        a["data-label"] for tag, a in Page(render_report(data)).tags if tag == "tr" and "data-label" in a
    ]
    assert labels == ["8", "3", "41"]


def test_a_cluster_beyond_noise_is_marked():
    data = scene()
    far = replace(data, clusters=[replace(data.clusters[0], error=1e-7), *data.clusters[1:]])
    assert render_report(far).count("tag differs") == render_report(data).count("tag differs") + 1


def outsiders():
    """The scene with one cluster no mixture explains, one beyond the noise, and two that are explained."""
    data = scene()
    large, middle, needle = data.clusters
    found = Finding("Hematite", 900.0, 170.0, 1e-9, outside=True, position=(3, 4))
    mixture = "mixture: 0.50 Hematite + 0.50 Needle phase"
    explained = replace(middle, label=5, error=1e-9, explained=mixture, decided_outside=False)
    mixed = replace(middle, label=6, error=1e-9, finding=replace(found, outside=False))
    return replace(
        data,
        clusters=[
            replace(large, error=1e-7, finding=found),
            replace(middle, error=1e-6),
            needle,
            explained,
            mixed,
        ],
    )


def test_clusters_outside_the_library_are_needles_whatever_their_size(tmp_path):
    data = outsiders()
    outside, minor = views.needles(views.cluster_views(data))
    assert [(view.row.label, view.row.reason) for view in outside] == [
        (3, "beyond the noise from Magnetite (error 1.0\u202f×\u202f10⁻⁶)"),
        (8, "no mixture of references explains it (p 1.0\u202f×\u202f10⁻⁹)"),
    ]
    assert [view.row.label for view in minor] == [41]
    page = write_viewer(tmp_path, ViewerData(data, data.label.shape, [])).read_text()
    assert re.findall(r'<tr data-label="(\d+)">', page) == ["3", "8", "41", "5", "6"]
    text = Page(page).text
    assert (
        text.index("Outside the library") < text.index("Needles: under 1 %") < text.index("Larger clusters")
    )
    assert "no mixture of references explains it" in text
    assert "mixture: 0.50 Hematite" in text
    summary = Page(render_report(data)).text
    assert summary.index("Outside the library: near Magnetite") < summary.index(
        "Under 1 % of the area: Needle phase"
    )


def test_components_have_one_name_and_one_colour_everywhere(tmp_path):
    data = scene()
    own = [ComponentRow(3, "lodestone", "#123456", 0.6), ComponentRow(41, "Needle phase", "#ff00aa", 0.4)]
    rows = [replace(data.clusters[1], given="lodestone"), data.clusters[0], data.clusters[2]]
    data = replace(data, clusters=rows, components=own)
    colours = views.colours_by_label(data)
    assert (colours[3], colours[41]) == ("#123456", "#ff00aa")
    assert colour_distance(list(colours.values()))[np.triu_indices(3, 1)].min() > 0.1
    assert tuple(composite(replace(data, density=None))[30, 50]) == (0x12, 0x34, 0x56)
    page = write_viewer(tmp_path, ViewerData(data, data.label.shape, [])).read_text()
    assert re.search(r'id="components".*#123456"></span>lodestone 60\.00\u202f%', page, re.DOTALL)
    scripts = (tmp_path / "scene.js").read_text()
    assert '"name":"lodestone","colour":"#123456"' in scripts
    card = (tmp_path / "cards" / "3.js").read_text()
    assert "lodestone" in card
    assert "nearest Magnetite" in card
    assert "nearest: Magnetite" in render_report(data)


@pytest.mark.parametrize("drop", ["density", "correlation", "truth", "noise"])
def test_parts_may_be_missing(drop):
    assert Page(render_report(replace(scene(), **{drop: None}))).text


def test_a_map_with_nothing_in_it(tmp_path):
    label = np.zeros((4, 9), np.uint16)
    data = ReportData(
        "Empty",
        "",
        ENERGY,
        1.0,
        label,
        label.astype(np.uint8),
        [],
        {"void": 36},
        correlation=np.full((4, 9), np.nan),
    )
    assert "100 %" in Page(render_report(data)).text
    write_label_png(tmp_path / "label.png", data)


def test_a_spectrum_of_one_pixel_has_no_error_band():
    data = scene()
    alone = replace(data.clusters[2], standard_error=np.full(178, np.nan))
    html = render_report(replace(data, clusters=[*data.clusters[:2], alone]))
    assert html.count('class="band"') == 2
    assert "nan" not in re.sub(r"base64,[^\"]*", "", html).lower()


def test_large_maps_are_thinned_and_say_so():
    label = np.ones((5, 5000), np.uint16)
    state = label.astype(np.uint8)
    data = ReportData(
        "Wide", "", ENERGY, 2.0, label, state, [cluster(1, "a", 1, 1)], {"kept": 25000 * 16}, step=4
    )
    html = render_report(data)
    width = next(int(a["width"]) for _, a in Page(html).tags if a.get("id") == "labels")
    assert width == 1667
    assert "every 12 × 12" in html
    assert 'data-um="24.0"' in html
    assert "40 mm" in Page(html).text


def test_a_page_of_61_clusters_stays_light():
    rng = np.random.default_rng(1)
    blocks = rng.integers(1, 62, (44, 44))
    blocks.flat[:61] = np.arange(1, 62)
    label = np.kron(blocks, np.ones((25, 25), int)).astype(np.uint16)
    rows = [cluster(k, f"phase {k}", int((label == k).sum()), label.size) for k in range(1, 62)]
    data = ReportData(
        "Many",
        "",
        ENERGY,
        0.46,
        label,
        rng.integers(0, 5, label.shape),
        rows,
        {"kept": label.size},
        density=rng.uniform(0, 2, label.shape),
        correlation=rng.uniform(0.9, 1, label.shape),
    )
    html = render_report(data)
    assert len(html) < 5_000_000
    assert html.count('class="card"') == 61


def test_composite_has_hue_shade_and_neutral_void():
    data = scene()
    image = composite(data).astype(int)
    plain = composite(replace(data, density=None)).astype(int)
    void = data.label == 0
    assert len(np.unique(plain[~void], axis=0)) == 3
    np.testing.assert_array_equal(image[void], plain[void])
    assert len(np.unique(image[void], axis=0)) == 1
    darkest = np.unravel_index(np.where(void, 9, data.density).argmin(), void.shape)
    np.testing.assert_array_equal(image[darkest], np.rint((1 - DARKEST) * plain[darkest]))
    assert (image <= plain).all()


def test_label_png_shows_the_map_pixel_by_pixel(tmp_path):
    data = replace(scene(), density=None)
    path = tmp_path / "label.png"
    write_label_png(path, data)
    picture = np.asarray(Image.open(path).convert("RGB")).astype(int)
    expected = composite(data).astype(int)
    for place in ((5, 5), (12, 42), (30, 50), (58, 20)):
        spot = [int(30 + (p + 0.5) * 1400 / 60) for p in place]
        assert abs(picture[spot[0], spot[1]] - expected[place]).max() <= 1
    first = path.read_bytes()
    write_label_png(path, data)
    assert path.read_bytes() == first


def test_names_with_mathematics_do_not_break_the_legend(tmp_path):
    write_label_png(tmp_path / "label.png", scene(names=(r"$\frac{", "_x", "a long name " * 9)))


def test_files_are_published_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    write_report(path, scene())
    before = path.read_bytes()
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]

    def full_disk(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(RunError, match="No space"):
        write_report(path, replace(scene(), title="another"))
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"label": np.zeros((0, 3), np.uint16)}, "needs a"),
        ({"state": np.zeros((2, 2), np.uint8)}, "state map has shape"),
        ({"state": np.full((60, 60), 5, np.uint8)}, "states run from 0 to 4"),
        ({"density": np.zeros((2, 2))}, "density map"),
        ({"energy": ENERGY[:5]}, "bring both on one grid"),
        ({"states": {"lost": 3}}, "unknown states"),
        ({"pixel_um": 0.0}, "must be positive"),
        ({"pixel_um": float("nan")}, "must be positive"),
        ({"clusters": []}, "without a cluster row"),
    ],
)
def test_contradictions_are_refused(change, says):
    with pytest.raises(InputError, match=says):
        replace(scene(), **change)


def test_clusters_that_cannot_be_drawn_are_refused():
    data = scene()
    with pytest.raises(InputError, match="same label"):
        replace(data, clusters=[*data.clusters, data.clusters[0]])
    broken = replace(data.clusters[0], spectrum=np.full(178, np.nan))
    with pytest.raises(InputError, match="not finite"):
        replace(data, clusters=[broken, *data.clusters[1:]])
