import csv

import pytest

from streetclip.captions.templates import CaptionTemplate, load_templates
from streetclip.data.caption_files import write_captions
from streetclip.data.manifest import ManifestReader, read_manifest
from streetclip.errors import ManifestError
from tests.captions.captioning import make_caption

HEADER = "image_filename,city,note,region,country,continent"


@pytest.fixture
def manifest(tmp_path):
    path = tmp_path / "train.csv"
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        writer = csv.writer(file)
        writer.writerows(csv.reader([HEADER]))
        writer.writerows(
            [
                ["a.jpg", "Paris", 'x, "y"', "Île-de-France", "France", "Europe"],
                ["b.jpg", "Spring\nfield", "\r", "", "USA", ""],
                ["c.jpg", "", "=1+1", "Bavaria", "Germany", "Europe"],
                ["d.jpg", " Lyon ", "", "", "france", ""],
            ]
        )
    return path


def caption(source, destination, *names, seed=42, **options):
    reader = ManifestReader(source, check_captions=False, **options)
    return write_captions(reader, destination, load_templates(names or ("full",)), seed=seed)


def rows_of(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def test_columns_come_as_written_and_defused_with_caption_and_template_last(manifest, tmp_path):
    out = tmp_path / "out.csv"
    summary = caption(manifest, out)
    rows = rows_of(out)
    assert rows[0] == [*HEADER.split(","), "caption", "template"]
    with manifest.open(newline="", encoding="utf-8-sig") as file:
        written = list(csv.reader(file))
    written[2][2], written[3][2] = "'\r", "'=1+1"
    assert [row[:-2] for row in rows] == written
    assert [row[-2] for row in rows[1:]] == [
        "A Street View photo close to the town of Paris in the region of Île-de-France in France.",
        "A Street View photo close to the town of Spring field in the USA.",
        "A Street View photo in the region of Bavaria in Germany.",
        "A Street View photo close to the town of Lyon in france.",
    ]
    assert {row[-1] for row in rows[1:]} == {"full"}
    assert summary.num_rows == 4
    assert [name for name, _ in summary.examples] == ["a.jpg", "b.jpg"]


AWKWARD = (
    "=1+1",
    "'=1+1",
    "''-x",
    "-3.5",
    "'-3.5",
    "@a",
    "+1 (2)",
    "'s-Gravenhage",
    "'",
    "-",
    "\tx",
)


def test_names_and_texts_that_look_like_formulas_come_back_as_they_were(tmp_path):
    """Also when captions are made of a captions file again; no cell of it is a formula."""
    names = [f"{text.strip()}.jpg" for text in AWKWARD]
    with (tmp_path / "a.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*HEADER.split(","), "=note", "'=note"])
        for name, text in zip(names, AWKWARD, strict=True):
            writer.writerow([name, text, text, text, "France", "Europe", text, text])
    first = read_manifest(tmp_path / "a.csv").frame
    for source, out in (("a", "b"), ("b", "c")):
        caption(tmp_path / f"{source}.csv", tmp_path / f"{out}.csv")
        cells = [cell for row in rows_of(tmp_path / f"{out}.csv") for cell in row]
        assert {cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))} == {
            "-3.5"
        }
        again = read_manifest(tmp_path / f"{out}.csv").frame
        assert again["image_filename"].tolist() == names
        assert again[list(first)].equals(first)


def test_a_manifest_of_someone_else_is_read_as_it_is(tmp_path):
    (tmp_path / "a.csv").write_text(f"{HEADER}\n'=1.jpg,'@b,'-c,,France,Europe\n")
    row = read_manifest(tmp_path / "a.csv").frame.iloc[0]
    assert list(row[["image_filename", "city", "note"]]) == ["'=1.jpg", "'@b", "'-c"]


def test_what_is_written_can_be_read_as_a_manifest(manifest, tmp_path):
    out = tmp_path / "out.csv"
    caption(manifest, out)
    before, after = read_manifest(manifest), read_manifest(out)
    columns = before.frame.columns.drop("line")
    assert after.frame[columns].equals(before.frame[columns])
    assert after.attribute_columns == before.attribute_columns == ("note",)
    assert after.frame["caption"].str.startswith("A Street View photo").all()


def test_captions_are_those_of_make_caption(manifest, tmp_path):
    caption(manifest, tmp_path / "out.csv", "dropout", "paper", seed=7)
    frame = read_manifest(tmp_path / "out.csv").frame
    templates = load_templates(("dropout", "paper"))
    for row in frame.to_dict("records"):
        expected = make_caption(templates, row, seed=7, image_filename=row["image_filename"])
        assert (row["caption"], row["template"]) == expected


def test_captions_that_stand_already_are_replaced_where_they_may_stand(tmp_path):
    source = tmp_path / "a.csv"
    source.write_text(
        "caption,image_filename,city,template,region,country,continent\n"
        ",a.jpg,Paris,old,,France,\nold,b.jpg,,old,,Italy,\n"
    )
    caption(source, tmp_path / "out.csv", "paper")
    assert rows_of(tmp_path / "out.csv") == [
        ["image_filename", "city", "region", "country", "continent", "caption", "template"],
        ["a.jpg", "Paris", "", "France", "", "A Street View photo in France.", "paper"],
        ["b.jpg", "", "", "Italy", "", "A Street View photo in Italy.", "paper"],
    ]


def test_the_same_image_gets_the_same_caption_in_any_chunk(manifest, tmp_path):
    caption(manifest, tmp_path / "a.csv", "dropout", chunk_rows=1)
    caption(manifest, tmp_path / "b.csv", "dropout", chunk_rows=3)
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


def test_bad_rows_are_left_out_and_counted(manifest, tmp_path):
    with manifest.open("a", encoding="utf-8") as file:
        file.write("e.jpg,,,,Nowhere,\r\nf.jpg,,,,Italy,\r\n")
    summary = caption(manifest, tmp_path / "out.csv", on_bad_rows="skip")
    assert (summary.num_rows, summary.num_skipped) == (5, 1)
    assert [row[0] for row in rows_of(tmp_path / "out.csv")[1:]] == [
        f"{letter}.jpg" for letter in "abcdf"
    ]
    with pytest.raises(ManifestError):
        caption(manifest, tmp_path / "out.csv")


def test_equal_captions_show_as_one_example(manifest, tmp_path):
    template = CaptionTemplate("same", "A photo[ in {region}].")
    reader = ManifestReader(manifest, on_bad_rows="skip")
    rows = [
        row for row in rows_of(manifest) if row[0] in {"\ufeffimage_filename", "b.jpg", "d.jpg"}
    ]
    rows[0][0] = "image_filename"
    with (tmp_path / "few.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    reader = ManifestReader(tmp_path / "few.csv")
    summary = write_captions(reader, tmp_path / "out.csv", [template], seed=1)
    assert summary.examples == (("b.jpg", "A photo."),)


def test_captions_that_are_probably_too_long_for_clip_are_counted(tmp_path):
    path = tmp_path / "thai.csv"
    long, longer = "กรุงเทพมหานคร" * 3, "กรุงเทพมหานคร" * 4
    rows = ["a.jpg,Lyon,,,France,", f"b.jpg,{long},,,Thailand,", f"c.jpg,{longer},,,Thailand,"]
    path.write_text("\n".join([HEADER, *rows]), encoding="utf-8")
    summary = caption(path, tmp_path / "out.csv")
    assert summary.num_long == 2
    assert summary.longest == ("c.jpg", rows_of(tmp_path / "out.csv")[3][-2])
    path.write_text("\n".join([HEADER, rows[0]]), encoding="utf-8")
    summary = caption(path, tmp_path / "out2.csv")
    assert (summary.num_long, summary.longest) == (0, None)
