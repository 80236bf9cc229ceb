"""axe-core in a page: what stands in the way of people who read it by keyboard, screen reader or zoom."""

from pathlib import Path

AXE = Path(__file__).parent / "vendor" / "axe-core" / "axe.min.js"


def findings(page):
    """What axe-core finds on the page as it is shown, as 'rule (impact): part of the page'.

    All its rules count, best practices too. Parts that it cannot judge are no findings. Style sheets are not
    read anew, which a page opened from a folder forbids.
    """
    if page.run("typeof axe === 'undefined'"):
        page.run(AXE.read_text(encoding="utf-8") + "; 0")
    told = page.run("axe.run(document, { preload: false, resultTypes: ['violations'] })")
    assert len(told["passes"]) > 10, "axe-core has judged nothing"
    return [
        f"{rule['id']} ({rule['impact']}): {' '.join(map(str, node['target']))}"
        for rule in told["violations"]
        for node in rule["nodes"]
    ]
