"""What the website needs beside the pages in docs/: those at the top of the repository, and no address elsewhere.

README.md, CHANGELOG.md and CONTRIBUTING.md are read where they are, and links between them and docs/ are led
to the places that they have on the website.
"""

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

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
FOREIGN_SCRIPT = re.compile(r'<script[^>]*\ssrc="https?://[^"]*"[^>]*>\s*</script>')


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


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Leave out scripts that nbconvert would load from elsewhere: MathJax, for notebooks without formulas."""
    return FOREIGN_SCRIPT.sub("", output) if page.file.src_uri.endswith(".ipynb") else output
