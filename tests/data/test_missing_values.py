import pytest

from streetclip.data.manifest import read_manifest
from streetclip.data.row_checks import blank_missing_values, is_marker
from streetclip.errors import ManifestError

NAMES = ("city", "region", "country", "continent", "latitude", "longitude")


def blanked(*row):
    """The cells of one row after blanking, the countries that were missing, and the warnings."""
    cells = {name: [text] for name, text in zip(NAMES, row, strict=False)}
    missing, warnings = blank_missing_values(cells)
    return tuple(cells[name][0] for name in cells), missing, [text for _, _, text in warnings]


@pytest.mark.parametrize(
    "text", ["NA", "nan", "NaN", "None", "NULL", "null", "\\N", "N/A", "n/a", "-", "<NA>", " nan "]
)
def test_a_marker_in_city_and_region_is_blanked_with_a_warning(text):
    cells, missing, warnings = blanked(text, text, "France", "Europe")
    assert cells == ("", "", "France", "Europe")
    assert missing == {}
    assert len(warnings) == 1
    assert "city" in warnings[0]
    assert "region" in warnings[0]


def test_a_coordinate_that_is_missing_is_blanked():
    cells, _, warnings = blanked("Lyon", "", "France", "", "NA", "nan")
    assert cells == ("Lyon", "", "France", "", "", "")
    assert warnings == ["latitude 'NA', longitude 'nan' are read as missing."]


@pytest.mark.parametrize(
    "row",
    [
        ("Nan", "Nan", "Thailand", "Asia"),
        ("Nan", "", "TH", ""),
        ("Pua", "Nan", "Thailand", ""),
        ("None", "Piedmont", "Italy", "Europe"),
        ("None", "", "Italy", "", "44.93", "7.54"),
        ("Nantes", "Naples", "France", "Asia"),
    ],
)
def test_a_place_that_is_named_like_a_marker_stays(row):
    assert blanked(*row) == (row, {}, [])


@pytest.mark.parametrize(
    "row",
    [
        ("Nan", "", "France", ""),  # no such city there
        ("Nan", "", "China", ""),  # another name of Nanzhou
        ("nan", "Nan", "Thailand", ""),  # not how the city is spelled
        ("None", "Piedmont", "Spain", ""),
        ("None", "None", "Italy", ""),  # nothing speaks for the city
        ("None", "", "Italy", "", "41.9", "12.5"),  # Rome
    ],
)
def test_a_marker_that_is_no_place_of_the_country_is_missing(row):
    cells, _, warnings = blanked(*row)
    assert cells[0] == ""
    assert len(warnings) == 1


def test_the_warning_says_how_to_keep_an_ambiguous_city():
    *_, warnings = blanked("None", "", "Italy", "")
    assert warnings[0].endswith("Fill in its region if the city named None is meant.")


@pytest.mark.parametrize(
    "row",
    [
        ("", "", "NA", ""),
        ("", "", "NA", "Africa"),
        ("Windhoek", "NA", "NA", "NA"),
        ("Windhoek", "", "na", ""),
        ("NA", "NA", "NA", "Africa"),
        ("", "", "NA", "NA", "-22.57", "17.08"),
    ],
)
def test_na_is_namibia_where_the_row_speaks_for_it(row):
    cells, missing, _ = blanked(*row)
    assert cells[2] == row[2]
    assert missing == {}


@pytest.mark.parametrize(
    "row",
    [
        ("NA", "NA", "NA", "NA"),
        ("NA", "", "NA", ""),
        ("Lyon", "", "NA", ""),
        ("", "", "NA", "Europe"),
        ("", "", "NA", "", "48.85", "2.35"),
        ("", "", "nan", "Africa"),
        ("Windhoek", "", "None", "Africa"),
    ],
)
def test_a_country_that_is_missing_is_not_namibia(row):
    cells, missing, _ = blanked(*row)
    assert cells[2] == ""
    assert missing == {0: row[2]}


def test_the_code_of_north_america_is_no_missing_continent():
    assert blanked("", "", "Canada", "NA")[2] == []
    assert blanked("", "", "France", "NA")[2] == ["continent 'NA' is read as missing."]


def test_attributes_keep_their_text():
    cells = {"city": ["nan"], "country": ["France"], "season": ["NA"]}
    blank_missing_values(cells)
    assert cells["season"] == ["NA"]


def test_a_marker_with_spaces_is_one():
    assert is_marker(" NA ")
    assert not is_marker("")


def test_rows_are_counted_and_the_first_of_each_kind_spelled_out(tmp_path):
    path = tmp_path / "a.csv"
    rows = [f"{i}.jpg,nan,,France,{'Asia' if i < 2 else ''}\n" for i in range(1200)]
    path.write_text("image_filename,city,region,country,continent\n" + "".join(rows))
    manifest = read_manifest(path)
    assert set(manifest.frame["city"]) == {""}
    assert set(manifest.frame["continent"]) == {"Europe"}
    assert manifest.warnings[0].startswith(f"{path}: 1,200 rows: values such as NA")
    assert manifest.warnings[1:6] == tuple(
        f"{path}:{line}: city 'nan' is read as missing." for line in range(2, 7)
    )
    assert manifest.warnings[6] == f"{path}: … and 1,195 more of this kind"
    assert manifest.warnings[7].startswith(f"{path}: 2 rows: the continent contradicts")
    assert len(manifest.warnings) == 10


def test_skipped_rows_are_not_warned_of(tmp_path):
    path = tmp_path / "a.csv"
    header = "image_filename,city,region,country,continent\n"
    path.write_text(f"{header}a.jpg,nan,,NA,\nb.jpg,Lyon,,France,\n")
    manifest = read_manifest(path, on_bad_rows="skip")
    assert manifest.warnings == ()
    assert manifest.num_skipped == 1
    with pytest.raises(ManifestError, match="country is 'NA', which is read as missing"):
        read_manifest(path)
