"""Links between the pages of the documentation lead to files that exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [*sorted((ROOT / "docs").glob("*.md")), ROOT / "CONTRIBUTING.md"]
LINK = re.compile(r"\]\(([^)\s]+)\)")
ELSEWHERE = ("http://", "https://", "mailto:", "#")


def linked_files(page):
    links = LINK.findall(page.read_text(encoding="utf-8"))
    return [link.split("#")[0] for link in links if not link.startswith(ELSEWHERE)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_leads_to_a_file(page):
    assert [link for link in linked_files(page) if not (page.parent / link).exists()] == []


def test_the_walk_links_every_file_that_it_numbers():
    page = ROOT / "docs" / "how-it-works.md"
    walk = page.read_text(encoding="utf-8").split("## A walk")[1].split("## A training step")[0]
    files = re.findall(r"^(\d+)\. \[.+?\]\((.+?)\)", walk, re.MULTILINE)
    assert [int(number) for number, _ in files] == list(range(1, len(files) + 1))
    assert f"in {len(files)} files" in walk
    assert len({path for _, path in files}) == len(files)
