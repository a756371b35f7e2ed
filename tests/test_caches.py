"""Every cache in memory is keyed by plain values, or listed here with why it cannot go stale.

A cache of a function of texts and numbers holds for ever if the function reads nothing else. What
else it reads must come with the program: files of the package are not changed while it runs.
"""

import ast
import inspect
from pathlib import Path

import pytest

from streetclip.captions import patterns
from streetclip.gazetteer.countries import _find_country, _normalise, _suggest_countries
from streetclip.results.confusion import _nearness

ROOT = Path(__file__).parents[1]
VALUES = {"str", "int", "float", "bool", "bytes", "tuple[str, str, str, str]", "tuple[bool, ...]"}
CACHES = {"cache", "lru_cache", "cached_property"}
# Arguments and owners that are objects.
REVIEWED = {
    # Of a frozen classifier whose tensors are made for it.
    "streetclip/evaluation/predictor.py:country_weights_CD",
    "streetclip/evaluation/predictor.py:city_weights_MD",
    "streetclip/evaluation/predictor.py:city_offsets",
    "streetclip/evaluation/predictor.py:most_cities",
    # Of a frozen city of the gazetteer, whose table comes with the program.
    "streetclip/gazetteer/city_names.py:names_of",
    # Of a matcher made for one match of one candidates list, which is frozen.
    "streetclip/data/place_matching.py:_by_spelling",
    "streetclip/data/place_matching.py:_places",
    "streetclip/data/place_matching.py:_by_place",
    # Of a path with the sizes and times of the store and its log.
    "streetclip/store/checks.py:_damage",
    # The shape of a projection, which no training changes.
    "streetclip/models/encoder.py:embedding_dim",
}
OUTSIDE = {"open", "environ", "getenv", "cwd", "stat", "glob", "read_text", "read_bytes", "now"}
# Files of the package or of a pinned dependency.
READS_PACKAGE_FILES = {
    "streetclip/demo/cues.py:read_toml",
    "streetclip/gazetteer/outlines.py:outline_topojson",
}


def cached_functions():
    """Every function under a cache decorator: where it is, and its syntax."""
    for folder in ("streetclip", "jobs"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.FunctionDef) and any(map(is_cache, node.decorator_list)):
                    yield f"{path.relative_to(ROOT).as_posix()}:{node.name}", node


def is_cache(decorator):
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
    return name in CACHES


def is_keyed_by_values(node):
    annotations = [each.annotation for each in node.args.args]
    return all(each is not None and ast.unparse(each) in VALUES for each in annotations)


def outside_names(node):
    named = {each.attr for each in ast.walk(node) if isinstance(each, ast.Attribute)}
    named |= {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
    return named & OUTSIDE


def test_caches_are_keyed_by_values_or_reviewed():
    keyed_by_objects = {where for where, node in cached_functions() if not is_keyed_by_values(node)}
    assert keyed_by_objects == REVIEWED


def test_cached_functions_read_nothing_that_changes_while_the_program_runs():
    reading = {where for where, node in cached_functions() if outside_names(node)}
    assert reading == READS_PACKAGE_FILES


def test_the_search_finds_caches():
    source = "@functools.lru_cache(maxsize=2)\ndef f(path: Path):\n    return path.read_text()\n"
    (node,) = ast.parse(source).body
    assert is_cache(node.decorator_list[0])
    assert not is_keyed_by_values(node)
    assert outside_names(node) == {"read_text"}
    assert len(list(cached_functions())) > 30


# Each argument is part of the key: with one left out, one of these pairs would be the same.

PARIS, LYON = ("Paris", "Île-de-France", "France", "Europe"), ("Lyon", "", "France", "Europe")
PATTERN = "A photo [0.5: in {region} ]of {city}."


@pytest.mark.parametrize(
    ("function", "one", "other"),
    [
        (patterns.fill, ("In {city}.", -1, PARIS), ("Of {city}.", -1, PARIS)),
        (patterns.fill, (PATTERN, 0, PARIS), (PATTERN, 1, PARIS)),
        (patterns.fill, ("In {city}.", -1, PARIS), ("In {city}.", -1, LYON)),
        (patterns.chances, ("In [0.5: {city}].",), ("In [0.4: {city}].",)),
        (patterns.parse_pattern, ("In {city}.",), ("In {region}.",)),
        (patterns.the_country, ("France",), ("Netherlands",)),
        (_find_country, ("France",), ("Georgia",)),
        (_suggest_countries, ("Frence",), ("Georgja",)),
        (_normalise, ("Zürich",), ("Köln",)),
        (_nearness, ("FR", "DE"), ("FR", "JP")),
        (_nearness, ("DE", "FR"), ("JP", "FR")),
    ],
)
def test_a_cached_function_answers_each_argument_for_itself(function, one, other):
    plain = inspect.unwrap(function)
    assert isinstance(plain, type(is_cache))
    for arguments in (one, other, one):
        assert function(*arguments) == plain(*arguments)
    assert function(*one) != function(*other)
