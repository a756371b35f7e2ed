import csv
import hashlib
import io

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from streetclip.data.csv_text import has_quote_after_space
from streetclip.data.manifest import ManifestReader, read_manifest
from streetclip.data.row_checks import is_marker
from streetclip.errors import ManifestError
from tests.data.manifests import FRANCE, HEADER, error_of, lines
from tests.random_search import examples

# Good files


def test_a_row_becomes_typed_columns(write):
    path = write(
        lines(
            "a.jpg,Paris,,France,Europe,48.85,2.35,spring",
            "b/c.jpg,,Sydney region,AUS,,,,",
            header=HEADER + ",latitude,longitude,season",
        )
    )
    manifest = read_manifest(path)
    frame = manifest.frame
    assert frame["image_filename"].tolist() == ["a.jpg", "b/c.jpg"]
    assert frame["city"].tolist() == ["Paris", ""]
    assert frame["region"].tolist() == ["", "Sydney region"]
    assert frame["country"].tolist() == ["France", "Australia"]
    assert frame["country_code"].tolist() == ["FR", "AU"]
    assert frame["continent"].tolist() == ["Europe", "Oceania"]
    np.testing.assert_array_equal(frame["latitude_deg"], [48.85, np.nan])
    np.testing.assert_array_equal(frame["longitude_deg"], [2.35, np.nan])
    assert frame["line"].tolist() == [2, 3]
    assert frame["season"].tolist() == ["spring", ""]
    assert manifest.attribute_columns == ("season",)
    assert manifest.num_skipped == 0
    assert manifest.problems == ()
    assert manifest.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_without_coordinate_columns_coordinates_are_unknown(write):
    frame = read_manifest(write(lines(FRANCE.format("a.jpg")))).frame
    assert frame["latitude_deg"].isna().all()
    assert frame["longitude_deg"].dtype == np.float64


@pytest.mark.parametrize("line_break", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"])
def test_any_line_break_with_or_without_bom(write, line_break, start):
    text = lines(FRANCE.format("a.jpg"), FRANCE.format("b.jpg")).replace("\n", line_break)
    frame = read_manifest(write(start + text.encode())).frame
    assert frame["image_filename"].tolist() == ["a.jpg", "b.jpg"]
    assert frame["line"].tolist() == [2, 3]


def test_lines_are_those_of_the_file_despite_breaks_in_cells_and_blank_lines(write):
    path = write(
        lines(
            'a.jpg,"Par\nis",,France,',
            "",
            'b.jpg,"x\r\ny\rz",,France,',
            FRANCE.format("c.jpg"),
        )
    )
    frame = read_manifest(path).frame
    assert frame["line"].tolist() == [2, 5, 8]
    assert frame["city"].tolist() == ["Par\nis", "x\r\ny\rz", "Paris"]


def test_captions_are_kept_and_are_no_attributes(write):
    path = write(lines("a.jpg,,,France,,A photo.,full", header=HEADER + ",caption,template"))
    manifest = read_manifest(path)
    assert manifest.frame["caption"].tolist() == ["A photo."]
    assert manifest.frame["template"].tolist() == ["full"]
    assert manifest.attribute_columns == ()


def test_an_attribute_that_clashes_with_a_derived_column_is_renamed(write):
    header = HEADER + ",country_code,line,line (csv)"
    manifest = read_manifest(write(lines("a.jpg,,,France,,fra,7,8", header=header)))
    assert manifest.attribute_columns == ("country_code (csv)", "line (csv) (csv)", "line (csv)")
    row = manifest.frame.iloc[0]
    assert (row["country_code"], row["country_code (csv)"]) == ("FR", "fra")
    assert (row["line"], row["line (csv) (csv)"], row["line (csv)"]) == (2, "7", "8")


def test_chunks_are_the_whole_file_in_pieces(write):
    path = write(lines(*(FRANCE.format(f"{i}.jpg") for i in range(25))))
    chunks = list(ManifestReader(path, chunk_rows=10))
    assert [len(chunk.rows) for chunk in chunks] == [10, 10, 5]
    names = [name for chunk in chunks for name in chunk.columns["image_filename"]]
    assert names == [f"{i}.jpg" for i in range(25)]
    assert chunks[2].columns["line"].tolist() == [22, 23, 24, 25, 26]
    assert chunks[2].rows[4] == FRANCE.format("24.jpg").split(",")


CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)


@settings(max_examples=examples(60), deadline=None)
@given(
    attribute=CELLS.filter(str.strip).filter(
        lambda name: (
            name not in {*HEADER.split(","), "latitude", "longitude", "caption", "template", "line"}
            and not name.endswith(("_deg", "_code"))
        )
    ),
    cells=st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=8),
    line_break=st.sampled_from(["\r\n"]),
    chunk_rows=st.integers(1, 4),
)
def test_any_text_that_csv_can_write_is_read_back(
    tmp_path_factory, attribute, cells, line_break, chunk_rows
):
    assume(not has_quote_after_space([attribute, *(text for row in cells for text in row)]))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator=line_break)
    writer.writerow([*HEADER.split(","), attribute])
    starts = []
    for i, (city, value) in enumerate(cells):
        before = text.getvalue()
        starts.append(1 + before.count("\n") + before.count("\r") - before.count("\r\n"))
        writer.writerow([f"{i}.jpg", city, "", "France", "", value])
    path = tmp_path_factory.mktemp("property") / "a.csv"
    path.write_text(text.getvalue(), encoding="utf-8", newline="")
    chunks = list(ManifestReader(path, chunk_rows=chunk_rows))
    rows = [row for chunk in chunks for row in chunk.rows]
    assert [(row[1], row[5]) for row in rows] == cells
    read = [value for chunk in chunks for value in chunk.columns[attribute]]
    assert read == [value for _, value in cells]
    assert [int(n) for chunk in chunks for n in chunk.columns["line"]] == starts
    cities = [city for chunk in chunks for city in chunk.columns["city"]]
    assert cities == ["" if is_marker(city) else city.strip() for city, _ in cells]


@settings(max_examples=examples(60), deadline=None)
@given(content=st.binary(max_size=80))
def test_no_bytes_make_anything_but_a_manifest_or_a_manifest_error(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("property") / "a.csv"
    for start in (b"", HEADER.encode() + b"\n", lines(FRANCE.format("a.jpg")).encode()):
        path.write_bytes(start + content)
        try:
            assert len(read_manifest(path).frame) >= 1
        except ManifestError as error:
            assert str(path) in str(error)  # noqa: PT017 -- either outcome is right


# Files that cannot be used at all


def test_a_missing_file_and_a_folder_are_told(tmp_path):
    assert "no such file" in error_of(tmp_path / "none.csv")
    assert "folder" in error_of(tmp_path)


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf\r\n"])
def test_an_empty_file_is_told(write, content):
    assert "is empty" in error_of(write(content))


@pytest.mark.parametrize("on_bad_rows", ["fail", "skip"])
def test_a_header_without_rows_is_told(write, on_bad_rows):
    assert "no row" in error_of(write(HEADER + "\n\n"), on_bad_rows=on_bad_rows)


def test_a_byte_that_is_not_utf8_is_told_with_its_line_and_the_remedy(write):
    content = lines("a.jpg,Paris,,France,", "b.jpg,Orléans,,France,").encode()
    path = write(content.replace("Orléans".encode(), "Orléans".encode("latin-1")))
    message = error_of(path)
    assert message.startswith(f"{path}:3: byte 0xE9")
    assert "iconv" in message
    offset = path.read_bytes().index(b"\xe9") + 1
    assert f"at position {offset} of the" in message


def test_a_bad_byte_far_into_a_large_file_is_found(write):
    rows = [FRANCE.format(f"é{i}.jpg") for i in range(30_000)]
    content = lines(*rows).encode()
    cut = content.rindex(b"\xc3")
    message = error_of(write(content[:cut] + content[cut + 1 :]))
    assert ":30001: byte 0x8E" in message or ":30001: byte 0xA9" in message


def test_a_character_cut_off_at_the_end_is_told(write):
    assert ":2: byte 0xC3" in error_of(write(lines().encode() + b"a.jpg,Orl\xc3"))


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (HEADER.encode("utf-16"), "UTF-16"),
        (HEADER.encode("utf-16-be"), "NUL"),
        (b"PK\x03\x04rest", "spreadsheet"),
        (b"\x1f\x8b\x08rest", "gunzip"),
    ],
)
def test_other_kinds_of_file_are_recognised(write, content, word):
    assert word in error_of(write(content))


def test_a_nul_byte_is_told_with_its_line(write):
    path = write(lines(FRANCE.format("a.jpg"), FRANCE.format("b\0.jpg")))
    assert error_of(path, on_bad_rows="skip").startswith(f"{path}:3: holds a NUL byte")


def test_a_quote_that_is_never_closed_is_told_with_its_line(write):
    path = write(lines(FRANCE.format("a.jpg"), 'b.jpg,"Par,,France,', FRANCE.format("c.jpg")))
    assert f"{path}:3: the row that starts here is badly quoted, up to line 4" in error_of(path)


def test_text_after_a_closing_quote_is_told_with_its_line(write):
    path = write(lines(FRANCE.format("a.jpg"), 'b.jpg,"Par"is,,France,'))
    assert f"{path}:3: the row that starts here is badly quoted" in error_of(path)


# Headers


def test_missing_columns_are_all_named_with_what_is_there(write):
    message = error_of(write("image_filename,Country,town\na,b,c\n"))
    assert "columns city, region, country, continent are missing" in message
    assert "Rename 'town' to city, 'Country' to country?" in message


def test_one_missing_column_is_named(write):
    message = error_of(write(HEADER.replace("region", " Region ") + "\na,b,c,d,e\n"))
    assert "column region is missing" in message
    assert "Rename ' Region ' to region?" in message


def test_a_typing_mistake_is_recognised(write):
    assert "'contient' to continent" in error_of(write(HEADER.replace("continent", "contient")))


@pytest.mark.parametrize("separator", [";", "\t"])
def test_another_separator_is_recognised(write, separator):
    assert "separated by" in error_of(write(HEADER.replace(",", separator) + "\n"))


def test_duplicate_columns_are_told(write):
    assert "'city' names more than one column" in error_of(write(HEADER + ",city\na,b,c,d,e,f\n"))


def test_a_column_without_a_name_is_told(write):
    assert "column 1 has no name" in error_of(write("," + HEADER + "\n0,a,b,c,d,e\n"))


def test_latitude_without_longitude_is_told(write):
    message = error_of(write(HEADER + ",latitude,lng\n"))
    assert "column latitude without column longitude" in message
    assert "'lng' to longitude" in message


def test_coordinates_under_other_names_are_not_passed_over_in_silence(write, caplog):
    path = write(lines("a.jpg,,,France,,1,2", header=HEADER + ",LAT,LON"))
    assert read_manifest(path).attribute_columns == ("LAT", "LON")
    assert "rename 'LAT' to latitude and 'LON' to longitude" in caplog.text
