import json

import pytest

from jobs import build_place_tables
from streetclip.gazetteer import City

ADMIN1 = [
    {"code": "DE.02", "name": "Bavaria"},
    {"code": "DE.16", "name": "Berlin"},
    {"code": "XX.1", "name": "Ex"},
]
SUBDIVISIONS = [
    "Bayern\tDE-BY\tDE.02\t1\tLand\tFree State of Bavaria|BAVARIA|09\t1\t\t57",
    "Upper Bavaria\t\tDE.02.091\t2\t\tOberbayern\t2\t1\t57",
    "Unknown\tDE-ZZ\tDE.99\t3\tLand\t\t1\t\t57",
]


def coded(geoname_id, feature, *codes):
    row = [str(geoname_id)] + [""] * 18
    row[7] = feature
    row[10 : 10 + len(codes)] = codes
    return "\t".join(row)


@pytest.fixture
def sources(tmp_path):
    (tmp_path / "admin1.json").write_text(json.dumps(ADMIN1))
    (tmp_path / "subdivisions.tsv").write_text("\n".join(SUBDIVISIONS) + "\n", encoding="utf-8")
    (tmp_path / "cities500.txt").write_text(coded(1, "PPLC") + "\n")
    return tmp_path


def run(sources, *more):
    """Run the job; the exit code, also where the parser ends it."""
    try:
        return build_place_tables.main(
            [
                f"--admin1_json={sources / 'admin1.json'}",
                f"--subdivisions_tsv={sources / 'subdivisions.tsv'}",
                f"--cities500_txt={sources / 'cities500.txt'}",
                f"--output_dir={sources / 'out'}",
                *more,
            ]
        )
    except SystemExit as end:
        return end.code


def test_regions_have_their_english_name_first_and_each_spelling_once(sources, monkeypatch):
    monkeypatch.setattr("streetclip.gazetteer.cities.all_cities", dict)
    assert run(sources) == 0
    regions = json.loads((sources / "out" / "regions.json").read_bytes())
    assert regions == {
        "DE": {"02": ["Bavaria", "Bayern", "Free State of Bavaria", "BY"], "16": ["Berlin"]},
        "XX": {"1": ["Ex"]},
    }
    assert json.loads((sources / "out" / "parts_of_cities.json").read_bytes()) == []


def test_tables_that_exist_are_kept(sources, monkeypatch, capsys):
    monkeypatch.setattr("streetclip.gazetteer.cities.all_cities", dict)
    assert run(sources) == 0
    assert run(sources) == 2
    assert "add --overwrite" in capsys.readouterr().err
    assert run(sources, "--overwrite") == 0


@pytest.mark.parametrize("name", ["admin1.json", "subdivisions.tsv", "cities500.txt"])
def test_another_file_is_the_users_mistake(sources, capsys, name):
    (sources / name).write_text("no table\n")
    assert run(sources) == 2
    (sources / name).unlink()
    assert run(sources) == 2
    errors = capsys.readouterr().err.splitlines()
    assert ["cannot read the sources" in error for error in errors] == [True, True]


def place(geoname_id, name, north_km, population):
    """A place so far north of the equator."""
    return City("XX", name, None, north_km / 111.2, 0.0, population, geoname_id)


def test_parts_of_cities_are_left_out_and_neighbours_stay(monkeypatch, sources):
    cities = [
        place(1, "Metropolis", 0, 2_000_000),  # radius 12.6 km
        place(2, "Twinton", 11, 1_500_000),  # newer, but too large for a part at that distance
        place(3, "Sectionville", 30, 400_000),  # coded as a section, of whatever city
        place(4, "Inner Quarter", 5, 300_000),  # newer than the dump, inside
        place(5, "Neighbourton", 5.1, 200_000),  # coded as a city of its own
        place(6, "Same Town Hall", 5.2, 190_000),  # coded, of the same municipality
        place(7, "Seat", 1.5, 100_000),  # seat of a first-level division
        place(8, "Suburb", 1.4, 90_000),  # coded, but in the very middle
        place(9, "Burgh", 1.3, 80_000),  # the same, but seat of a district
        place(10, "Far Village", -14, 70_000),  # newer, outside
        place(11, "Sector 3", 200, 60_000),
        place(12, "New Metropolis", 1.2, 50_000),  # shares a word, though a seat of a district
    ]
    rows = [
        coded(1, "PPLC", "1", "2", "3"),
        coded(3, "PPLX"),
        coded(5, "PPL", "1", "2", "9"),
        coded(6, "PPL", "1", "2", "3", "4"),
        coded(7, "PPLA"),
        coded(8, "PPL"),
        coded(9, "PPLA2"),
        coded(11, "PPL"),
        coded(12, "PPLA2"),
    ]
    (sources / "cities500.txt").write_text("\n".join(rows) + "\n")
    monkeypatch.setattr("streetclip.gazetteer.cities.all_cities", lambda: {"XX": tuple(cities)})
    assert run(sources) == 0
    parts = json.loads((sources / "out" / "parts_of_cities.json").read_bytes())
    assert parts == [3, 4, 6, 8, 11, 12]
