import json
import re
from pathlib import Path

import pytest

from streetclip.captions.prompts import city_prompts, country_prompts, load_prompts
from streetclip.captions.templates import BUILTIN, load_templates
from streetclip.data.candidates import load_candidates
from tests.captions.captioning import make_caption

README = (Path(__file__).parents[1] / "data" / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", README, re.DOTALL)


def block(containing):
    return next(text for _, text in BLOCKS if containing in text)


def test_the_template_file_of_the_readme_works(tmp_path):
    path = tmp_path / "t.txt"
    path.write_text(block("# name: pattern"), encoding="utf-8")
    short, where = load_templates(["short", "where"], path)
    fields = {"city": "Utrecht", "country": "Netherlands", "continent": "Europe"}
    drawn = make_caption([where], fields, seed=1, image_filename="a")
    assert drawn == ("A photo taken in Utrecht, the Netherlands (Europe).", "where")
    assert make_caption([short], {"country": "Fiji"}, seed=1, image_filename="a")[1] == "short"


def test_the_prompts_file_of_the_readme_works(tmp_path):
    path = tmp_path / "p.json"
    path.write_text(block("A road in"), encoding="utf-8")
    prompts = load_prompts(str(path))
    assert country_prompts(prompts, "Bahamas")[1] == "A road in the Bahamas."
    assert city_prompts(prompts, "Reno", "Nevada", "United States") == [
        "A Street View photo from Reno, Nevada, United States."
    ]


def test_the_candidates_of_the_readme_work(tmp_path):
    path = tmp_path / "c.json"
    path.write_text(block("Tbilisi"), encoding="utf-8")
    assert load_candidates(path).city_names == ("Paris", "Lyon", "Tbilisi")


def test_the_readme_counts_the_shipped_candidates_right():
    shipped = json.loads((Path(__file__).parents[1] / "data/candidates.json").read_bytes())
    count = f"{sum(map(len, shipped.values())):,} cities in {len(shipped)} countries"
    assert count in README


@pytest.mark.parametrize("name", list(BUILTIN))
def test_the_readme_quotes_the_built_in_templates(name):
    assert f"| `{name}` | `{BUILTIN[name].pattern}` |" in README
