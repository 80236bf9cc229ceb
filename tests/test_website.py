"""The website: built without a warning, every link leads somewhere, and nothing is loaded from elsewhere."""

import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from browser import Page

ROOT = Path(__file__).parents[1]
LOADING = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}
FETCHED = re.compile(r"""(?:import|fetch)\(\s*["']https?:|url\(\s*["']?https?:""")


class Content(HTMLParser):
    """What a page links to, what it loads, and the names of its places."""

    def __init__(self, text):
        super().__init__()
        self.links, self.loads, self.names, self.classes = [], [], {""}, set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.names |= {values.get("id"), values.get("name")}
        self.classes |= set((values.get("class") or "").split())
        if tag == "a" and values.get("href"):
            self.links.append(values["href"])
        if values.get(LOADING.get(tag)):
            self.loads.append(values[LOADING[tag]])


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The website as `make docs` builds it, in a folder of its own."""
    folder = tmp_path_factory.mktemp("site")
    command = ["build", "--strict", "--config-file", ROOT / "docs/site/mkdocs.yml", "--site-dir", folder]
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", *map(str, command)], capture_output=True, text=True, cwd=folder
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site):
    return {path: Content(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}


def test_every_page_and_every_notebook_is_there(pages, site):
    built = {path.relative_to(site).with_suffix("").as_posix() for path in pages}
    written = {*(ROOT / "docs").rglob("*.md"), *(ROOT / "docs").rglob("*.ipynb")}
    assert {path.relative_to(ROOT / "docs").with_suffix("").as_posix() for path in written} <= built
    assert {"index", "changelog", "contributing"} <= built


def test_every_link_leads_somewhere(pages, site):
    lost = []
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or path.name == "404.html":
                continue
            there = Path(os.path.normpath(path.parent / unquote(parts.path))) if parts.path else path
            if not there.exists() or (parts.fragment and unquote(parts.fragment) not in pages[there].names):
                lost.append((path.relative_to(site).as_posix(), link))
    assert not lost


def test_nothing_is_loaded_from_elsewhere(pages, site):
    for path, page in pages.items():
        assert not [address for address in page.loads if urlsplit(address).scheme not in ("", "data")], path
        assert not FETCHED.search(path.read_text(encoding="utf-8")), path
        assert "mermaid" not in page.classes, "Material would load Mermaid from elsewhere"
    for style in site.rglob("*.css"):
        assert not FETCHED.search(style.read_text(encoding="utf-8")), style


def test_every_public_name_has_a_heading_of_its_own(pages, site):
    import gigaxas as gx

    names = pages[site / "reference/api.html"].names
    assert {f"gigaxas.{gx._ROOMS[name]}.{name}" for name in gx._ROOMS} <= names


def test_the_citation_is_of_this_version():
    import gigaxas as gx

    told = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert (told["version"], told["license"], told["type"]) == (gx.__version__, "BSD-3-Clause", "software")
    page = (ROOT / "docs/cite.md").read_text(encoding="utf-8")
    paper = told["references"][0]
    assert f"version {gx.__version__}" in page
    assert paper["title"] in page
    assert all(author["family-names"] in page for author in paper["authors"])


@pytest.mark.browser
def test_opened_as_a_file_it_is_searched_without_a_network(site, tmp_path):
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        pytest.skip("no Chromium here; install chromium to search the website")
    page = Page(chromium, tmp_path / "profile")
    try:
        page.open((site / "index.html").as_uri())
        page.wait("document.querySelector('.md-search__input')")
        page.run("document.querySelector('.md-search__input').focus()")
        page.send("Input.insertText", text="chessboard")
        page.wait("document.querySelector('.md-search-result__item')")
        assert "Fill" in page.run("document.querySelector('.md-search-result__list').textContent")
        page.open((site / "notebooks/plan.html").as_uri())
        page.wait("document.querySelector('.jp-OutputArea img')?.complete")
        assert {urlsplit(address).scheme for address in page.asked} <= {"file", "data", "blob"}
        assert not page.errors
    finally:
        page.close()
