"""Rows of a manifest that cannot be used, and rows whose coordinates contradict their label."""

import pytest

from streetclip.data.manifest import ManifestReader, read_manifest
from streetclip.errors import ManifestError
from tests.data.manifests import FRANCE, HEADER, error_of, lines

BAD_ROWS = {
    "b.jpg,Paris,,France": "has 4 cells; expected 5",
    "b.jpg,Paris, Texas,,USA,": "has 6 cells; expected 5",
    "b.jpg": "has 1 cell; expected 5",
    ",Paris,,France,": "image_filename is blank",
    "../b.jpg,Paris,,France,": "'../b.jpg' leaves the image folder",
    "/b.jpg,Paris,,France,": "absolute",
    "C:\\b.jpg,Paris,,France,": "backslash",
    "a.jpg,Paris,,France,": "'a.jpg' repeats line 2",
    "./a.jpg,Paris,,France,": "'./a.jpg' repeats line 2",
    "b.jpg,Paris,,Frnace,": "country 'Frnace' is unknown",
    "b.jpg,Paris,,,Europe": "country is blank",
    "b.jpg,Paris,,France,Eurasia": "continent is 'Eurasia'; expected one of Africa",
}


@pytest.mark.parametrize(("row", "problem"), BAD_ROWS.items())
def test_a_bad_row_is_told_with_its_line(write, row, problem):
    path = write(lines(FRANCE.format("a.jpg"), row, FRANCE.format("z.jpg")))
    message = error_of(path)
    assert "1 bad row." in message
    assert f"\n{path}:3: " in message
    assert problem in message


@pytest.mark.parametrize("row", BAD_ROWS)
def test_a_bad_row_is_skipped_and_counted_when_asked(write, row):
    path = write(lines(FRANCE.format("a.jpg"), row, FRANCE.format("z.jpg")))
    manifest = read_manifest(path, on_bad_rows="skip")
    assert manifest.frame["image_filename"].tolist() == ["a.jpg", "z.jpg"]
    assert manifest.frame["line"].tolist() == [2, 4]
    assert manifest.num_skipped == 1
    assert manifest.problems[0].startswith(f"{path}:3: ")


def test_an_unknown_country_comes_with_the_nearest_names(write):
    assert "Did you mean France" in error_of(write(lines("a.jpg,Paris,,Frnace,")))


def test_swapped_coordinates_are_told(write):
    header = HEADER + ",latitude,longitude"
    path = write(lines("a.jpg,,,France,,2.35,48.85", "b.jpg,,,France,,48.85,2.35", header=header))
    message = error_of(path)
    assert "1 bad row" in message
    assert (
        f"{path}:2: latitude 2.35, longitude 48.85 lies 5,874 km outside France, but inside"
        in message
    )


def test_a_blank_caption_is_told_unless_captions_are_to_be_made(write):
    path = write(lines("a.jpg,,,France,, ", header=HEADER + ",caption"))
    assert "caption is blank" in error_of(path)
    assert len(list(ManifestReader(path, check_captions=False))) == 1


def test_a_caption_that_is_a_missing_value_is_told(write):
    path = write(lines("a.jpg,,,France,,nan", "b.jpg,,,Italy,,A", header=HEADER + ",caption"))
    assert f"{path}:2: caption is 'nan', read as missing; expected text" in error_of(path)


def test_all_that_is_wrong_with_a_row_is_told(write):
    message = error_of(write(lines(FRANCE.format("a.jpg"), "../b.jpg,,,Frnace,Eurasia")))
    assert all(word in message for word in ("leaves", "Frnace", "Eurasia"))
    assert "1 bad row" in message


def test_the_first_twenty_bad_rows_are_spelled_out_and_all_are_counted(write):
    rows = [f"{i}.jpg,,,Nowhere,," for i in range(1234)]
    path = write(lines(FRANCE.format("a.jpg"), *rows))
    message = error_of(path)
    assert "1,234 bad rows" in message
    assert "… and 1,214 more." in message
    assert f"{path}:22: " in message
    assert f"{path}:23: " not in message


def test_problems_are_told_in_the_order_of_the_file(write):
    path = write(lines("a.jpg,,,Nowhere,", "b.jpg", "../c.jpg,,,France,"))
    numbers = [line.split(":")[1] for line in error_of(path).splitlines()[1:]]
    assert numbers == ["2", "3", "4"]


def test_skipping_everything_is_an_error(write):
    path = write(lines("a.jpg,,,Nowhere,"))
    assert "No good row is left" in error_of(path, on_bad_rows="skip")


def test_a_duplicate_is_found_across_chunks(write):
    rows = [FRANCE.format(f"{i}.jpg") for i in range(40)]
    path = write(lines(*rows, FRANCE.format("3.jpg"), FRANCE.format("3.jpg")))
    with pytest.raises(ManifestError) as caught:
        list(ManifestReader(path, chunk_rows=5))
    message = str(caught.value)
    assert "2 bad rows" in message
    assert ":42: image_filename '3.jpg' repeats line 5" in message
    assert ":43: image_filename '3.jpg' repeats line 5" in message
    kept = [
        c for chunk in ManifestReader(path, on_bad_rows="skip", chunk_rows=5) for c in chunk.rows
    ]
    assert [row[0] for row in kept] == [f"{i}.jpg" for i in range(40)]


def test_control_characters_of_the_file_do_not_reach_the_message(write):
    assert "\x1b" not in error_of(write(lines("a\x1b[31m.jpg,,,\x1b[2J,")))


@pytest.mark.parametrize("on_bad_rows", ["fail", "skip"])
def test_progress_goes_from_nothing_to_the_end(write, on_bad_rows):
    path = write(lines(*(FRANCE.format(f"{i}.jpg") for i in range(100))))
    calls = []

    def progress(done, total, **_):
        calls.append((done, total))

    list(ManifestReader(path, on_bad_rows=on_bad_rows, chunk_rows=30, progress=progress))
    assert calls[0][0] == 0
    assert calls[-1][0] == calls[-1][1] > 0
    assert calls == sorted(calls)


# Coordinates that contradict the country


def test_misplaced_rows_are_kept_as_labelled_and_each_is_warned_of_once(write):
    rows = [
        "a.jpg,Lyon,,France,Europe,0,0",
        "a.jpg,Lyon,,France,Europe,45.76,4.84",  # repeated: the file is gone through twice
        "b.jpg,Lisbon,,Portugal,Europe,38.72,9.14",
        "c.jpg,,,France,Europe,40.4,-3.7",
        "d.jpg,,,France,Europe,4.84,45.76",
        "e.jpg,,,France,Europe,,",
    ]
    path = write(lines(*rows, header=HEADER + ",latitude,longitude"))
    manifest = read_manifest(path, on_bad_rows="skip")
    assert manifest.frame["latitude_deg"].tolist()[:3] == [0, 38.72, 40.4]
    assert manifest.frame["longitude_deg"].tolist()[:3] == [0, 9.14, -3.7]
    assert manifest.frame["line"].tolist() == [2, 4, 5, 7]
    kinds = [text.split(": ", 1)[1] for text in manifest.warnings[::2]]
    assert [kind.split(": ")[0] for kind in kinds] == ["1 row", "1 row", "1 row"]
    assert manifest.warnings[1].startswith(f"{path}:2: latitude 0, longitude 0 lies 4,693 km")
    assert manifest.warnings[3].startswith(f"{path}:4: latitude 38.72, longitude 9.14 lies 1,340")
    assert manifest.warnings[5].startswith(f"{path}:5: latitude 40.4, longitude −3.7 lies 349 km")
    assert len(manifest.warnings) == 6
    assert [problem.split(": ")[0] for problem in manifest.problems] == [f"{path}:3", f"{path}:6"]
    assert "inside when the two are swapped. Swap them" in manifest.problems[1]


def test_misplaced_rows_are_counted_over_all_chunks(write):
    rows = [f"{i}.jpg,,,Portugal,,38.72,9.14" for i in range(25)]
    path = write(lines(*rows, header=HEADER + ",latitude,longitude"))
    reader = ManifestReader(path, chunk_rows=4)
    assert sum(len(chunk.rows) for chunk in reader) == 25
    assert reader.warnings[0] == (
        f"{path}: 25 rows: coordinates outside their country that fit it with another sign"
    )


def test_true_coordinates_that_also_fit_swapped_are_accepted(write):
    rows = ["a.jpg,Bardaï,,Chad,,21.36,17.00", "b.jpg,Al Uwaynat,,Libya,,21.90,24.97"]
    manifest = read_manifest(write(lines(*rows, header=HEADER + ",latitude,longitude")))
    assert (len(manifest.frame), manifest.warnings) == (2, ())
