"""What the website needs beside the pages in docs/: those at the top of the repository, and notebooks.

README.md, CHANGELOG.md and CONTRIBUTING.md are read where they are, and links between them and docs/ are led
to the places that they have on the website. So are the links of notebooks.
"""

import logging
import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

LOG = logging.getLogger("mkdocs.hooks")
ROOT = Path(__file__).parents[2]
AT_THE_TOP = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "CITATION.cff": "CITATION.cff",
    "LICENSE": "LICENSE",
}
"""Files at the top of the repository, and where they are on the website."""
PLACES = {place: source for source, place in AT_THE_TOP.items()}
LINK = re.compile(r"\]\((?![a-z]+:|#)([^)#\s]+)")
PAGE_LINK = re.compile(r'href="((?![a-z]+:)[^"#]+\.(?:md|ipynb))')
SCRIPT = re.compile(r"<script\b.*?</script>", re.DOTALL)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the files at the top of the repository."""
    for source, place in AT_THE_TOP.items():
        files.append(File.generated(config, place, abs_src_path=str(ROOT / source)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead links to where their targets are on the website."""
    place = page.file.src_uri
    source = PLACES.get(place, f"docs/{place}")

    def led(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source), link[1]))
        there = AT_THE_TOP.get(target, target.removeprefix("docs/"))
        return f"]({posixpath.relpath(there, posixpath.dirname(place) or '.')}"

    return LINK.sub(led, markdown)


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead the links of a notebook; leave out its scripts, which load MathJax and Mermaid from elsewhere."""
    if not page.file.src_uri.endswith(".ipynb"):
        return html

    def led(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(page.file.src_uri), link[1]))
        found = files.get_file_from_path(target)
        if found is None:
            LOG.warning("%s: there is no %s, which it links to", page.file.src_uri, target)
            return link[0]
        return f'href="{found.url_relative_to(page.file)}'

    return PAGE_LINK.sub(led, SCRIPT.sub("", html))
