"""The report in a real browser, headless: what its script does to the page."""

import re
import shutil
import subprocess

import pytest
from gigaxas.report import render_report
from test_report import scene

pytestmark = pytest.mark.browser

QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--virtual-time-budget=8000",
)

ACTIONS = """
<script>
(async () => {
  const root = document.documentElement;
  while (!root.dataset.map) await new Promise((go) => setTimeout(go, 20));
  const note = (key, value) => { root.dataset[key] = value; };
  const rows = () => [...document.querySelectorAll("#clusters tbody tr")];
  const names = () => rows().map((row) => row.dataset.label).join(" ");
  const head = (k) => document.querySelectorAll("#clusters thead button")[k];
  const pen = document.querySelector("#veil").getContext("2d");
  const clear = (x, y) => pen.getImageData(x, y, 1, 1).data[3] === 0;
  note("first", names());
  head(1).click(); note("smallest", names());
  head(1).click(); note("largest", names());
  head(0).click(); note("alphabet", names());
  document.querySelector(".minor button[data-cluster='41']").click();
  note("readout", document.querySelector("#readout").textContent);
  note("needle", clear(42, 12)); note("veiled", !clear(5, 30));
  note("pressed", document.querySelector(".pick[data-cluster='41']").getAttribute("aria-pressed"));
  const box = document.querySelector("#frame").getBoundingClientRect();
  const spot = { clientX: box.left + box.width * 0.25, clientY: box.top + box.height * 0.5, bubbles: true };
  document.querySelector("#frame").dispatchEvent(new PointerEvent("pointermove", spot));
  note("under", document.querySelector("#readout").textContent);
  document.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape" }));
  note("freed", clear(5, 30));
  document.querySelector("#shading").click();
  note("shade", document.querySelector("#shade").checkVisibility());
  note("overflow", root.scrollWidth > root.clientWidth);
  const asked = performance.getEntriesByType("resource").filter((e) => !e.name.startsWith("data:"));
  const wide = (name) => document.querySelector(name).getBoundingClientRect().width;
  note("scale", (wide(".scale") / wide("#frame")).toFixed(3));
  note("requests", asked.length);
})();
</script>
</body>
"""


@pytest.fixture(scope="module")
def chromium():
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    pytest.skip("no Chromium here; install chromium to test the report in a browser")


def after_scripts(chromium, folder, html, size):
    """The attributes that the actions left on the root element."""
    page = folder / "page.html"
    page.write_text(html, encoding="utf-8")
    command = [
        chromium,
        *QUIET,
        f"--user-data-dir={folder / 'profile'}",
        f"--window-size={size}",
        "--dump-dom",
    ]
    done = subprocess.run([*command, page.as_uri()], capture_output=True, text=True, timeout=120, check=True)
    root = re.search(r"<html[^>]*>", done.stdout)
    assert root, done.stderr
    return dict(re.findall(r'([\w-]+)="([^"]*)"', root[0]))


@pytest.mark.parametrize("size", ["1400,900", "1400,400", "500,900"])
def test_the_script_sorts_finds_and_reads(chromium, tmp_path, size):
    html = render_report(scene()).replace("</body>", ACTIONS)
    seen = after_scripts(chromium, tmp_path, html, size)
    assert seen["class"] == "live"
    assert seen["data-map"] == "3 clusters ready"
    assert seen["data-first"] == seen["data-largest"] == "8 3 41"
    assert seen["data-smallest"] == "41 3 8"
    assert seen["data-alphabet"] == "8 3 41"
    assert seen["data-readout"].replace("\u202f", " ") == "Needle phase, label 41: 0.74 %"
    for key in ("pressed", "needle", "veiled", "freed"):
        assert seen[f"data-{key}"] == "true", key
    assert seen["data-under"].startswith("Hematite, label 8, at x 7 µm, y 14 µm")
    assert seen["data-shade"] == "false"
    assert seen["data-overflow"] == "false"
    assert seen["data-scale"] == f"{5 / (60 * 0.46):.3f}"
    assert seen["data-requests"] == "0"
