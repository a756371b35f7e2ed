import pytest

from streetclip.data.csv_text import CsvDialect, named_separator, sniff_dialect
from streetclip.data.manifest import ManifestReader, read_manifest
from streetclip.errors import ManifestError

HEADER = "image_filename,city,region,country,continent"


@pytest.fixture
def write(tmp_path):
    def _write(*lines):
        path = tmp_path / "a.csv"
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return path

    return _write


def test_plain_csv_is_read_as_it_is(write):
    path = write(HEADER, 'a.jpg, Lyon,"a, ""b""",France,')
    assert sniff_dialect(path) == CsvDialect()
    (chunk,) = ManifestReader(path)
    assert chunk.rows == [["a.jpg", " Lyon", 'a, "b"', "France", ""]]


def test_a_quote_after_a_space_opens_a_cell(write):
    frame = read_manifest(write(HEADER, 'a.jpg, "Washington, D.C.", ,USA,')).frame
    assert frame["city"].tolist() == ["Washington, D.C."]
    assert frame["region"].tolist() == [""]


@pytest.mark.parametrize("cell", [' "Lyon"', ' "Washington, D.C."'])
def test_a_quote_after_a_space_late_in_a_file_is_named(write, cell):
    rows = [f"{i}.jpg,Lyon,,France,Europe" for i in range(3000)]
    path = write(HEADER, *rows, f"z.jpg,{cell},,France,")
    with pytest.raises(ManifestError, match="Remove spaces between a comma and a quote") as caught:
        read_manifest(path)
    assert f"{path}:3002: " in str(caught.value)


def test_lines_are_those_of_the_file_below_a_separator_line(write):
    frame = read_manifest(write("sep=,", HEADER, "a.jpg,,,France,")).frame
    assert frame["line"].tolist() == [3]


def test_a_separator_is_found_in_the_first_row_alone():
    assert named_separator(["SEP=;"]) == ";"
    assert named_separator(["sep=\t"]) == "\t"
    assert named_separator(["sep=;x"]) is None


def test_a_comma_too_many_in_one_row_is_an_error(write):
    path = write(HEADER, "a.jpg,Lyon,,France,,", "b.jpg,Nice,,France,")
    with pytest.raises(ManifestError, match=r":2: has 6 cells; expected 5"):
        read_manifest(path)


def test_text_beyond_the_last_column_is_an_error_though_lines_end_with_commas(write):
    path = write(f"{HEADER},", "a.jpg,Lyon,,France,,", "b.jpg,Washington, D.C.,,USA,North America")
    with pytest.raises(ManifestError, match="column 6 has no name"):
        read_manifest(path)


def test_blank_cells_beyond_the_last_column_are_left_out(write):
    path = write(f"{HEADER},,", "a.jpg,Lyon,,France,,,", "b.jpg,Nice,,France,", "c.jpg,,,France,,")
    reader = ManifestReader(path)
    (chunk,) = reader
    assert reader.header == tuple(HEADER.split(","))
    assert [len(row) for row in chunk.rows] == [5, 5, 5]
