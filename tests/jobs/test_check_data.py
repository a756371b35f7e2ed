import json
import re

import pytest
from PIL import Image

from jobs.check_data import main

HEADER = "image_filename,city,region,country,continent,latitude,longitude,season\n"


@pytest.fixture
def data(tmp_path):
    (tmp_path / "images").mkdir()
    rows = []
    for i, (city, country, place) in enumerate(
        [("Paris", "France", "48.9,2.3"), ("Lyon", "France", ","), ("Rome", "Italy", "41.9,12.5")]
    ):
        Image.new("RGB", (3, 2)).save(tmp_path / "images" / f"{i}.png")
        rows.append(f"{i}.png,{city},,{country},,{place},spring\n")
    (tmp_path / "test.csv").write_text(HEADER + "".join(rows))
    (tmp_path / "candidates.json").write_text(json.dumps({"France": ["Paris", "Nice"]}))
    return tmp_path


def check(data, *more):
    return main(
        [f"--csv={data / 'test.csv'}", f"--image_dir={data / 'images'}", "--num_workers=0", *more]
    )


def test_good_data_is_described(data, capsys):
    assert check(data, f"--candidates_file={data / 'candidates.json'}") == 0
    out = capsys.readouterr().out
    assert "3 images in 2 countries, 2 with coordinates; 0 bad rows" in out
    assert "attributes: 'season'" in out
    assert "images by country: France 2, Italy 1" in out
    assert "3 images decoded, 0 not" in out
    assert "country of 66.7% (2) and the city of 33.3% (1)" in out
    assert "countries without candidates: IT" in out
    assert "cities that no candidate names: 2" in out
    assert re.search(r"'Lyon, FR': 1 images; nearest candidate 'Nice, France', 29\d km away", out)
    assert re.search(r"'Rome, IT': 1 images; nearest candidate 'Nice, France', 4\d\d km away", out)
    assert "All good." in out


def test_an_unreadable_image_is_told_with_its_line(data, capsys):
    (data / "images" / "1.png").write_bytes(b"")
    assert check(data) == 2
    out = capsys.readouterr().out
    assert "2 images decoded, 1 not" in out
    assert "test.csv:3: '1.png': is empty" in out


def test_bad_rows_are_told_and_the_good_ones_still_checked(data, capsys):
    with (data / "test.csv").open("a") as file:
        file.write("../x.png,,,France,,,,\n")
    assert check(data) == 2
    streams = capsys.readouterr()
    assert "1 bad rows" in streams.out
    assert "test.csv:5: image_filename '../x.png' leaves" in streams.out
    assert "3 images decoded" in streams.out
    assert "1 bad" in streams.err


def test_bad_rows_that_may_be_skipped_are_told_and_forgiven(data, capsys):
    with (data / "test.csv").open("a") as file:
        file.write("../x.png,,,France,,,,\n")
    assert check(data, "--on_bad_rows=skip") == 0
    assert "leaves" in capsys.readouterr().out


def test_an_unusable_file_does_not_keep_the_others_from_being_checked(data, capsys):
    (data / "broken.csv").write_text("a,b\n")
    code = main(["--csv", str(data / "broken.csv"), str(data / "test.csv")])
    out = capsys.readouterr().out
    assert code == 2
    assert "broken.csv:1: required columns" in out
    assert "3 images in 2 countries" in out


@pytest.mark.parametrize("name", ["0.png", "./0.png", ".//0.png"])
def test_an_image_that_two_files_share_is_told_whatever_its_spelling(data, capsys, name):
    (data / "train.csv").write_text(f"{HEADER}1x.png,,,France,,,,\n{name},,,France,,,,\n")
    assert main(["--csv", str(data / "train.csv"), str(data / "test.csv")]) == 2
    out = capsys.readouterr().out
    assert "share 1 image (" in out
    assert f"{name!r} on line 3 and '0.png' on line 2" in out


def test_files_that_share_no_image_are_good(data):
    (data / "train.csv").write_text(f"{HEADER}x.png,,,France,,,,\n")
    assert main(["--csv", str(data / "train.csv"), str(data / "test.csv")]) == 0


def test_misplaced_coordinates_are_listed_and_are_no_error(data, capsys):
    with (data / "test.csv").open("a") as file:
        file.write("x.png,,,Portugal,,38.72,9.14,\ny.png,,,France,,0,0,\n")
    assert main([f"--csv={data / 'test.csv'}"]) == 0
    out = capsys.readouterr().out
    assert "5 images in 3 countries, 4 with coordinates; 0 bad rows" in out
    assert "test.csv:5: latitude 38.72, longitude 9.14 lies 1,340 km outside Portugal" in out
    assert "test.csv:6: latitude 0, longitude 0 lies 4,693 km outside France" in out
    assert "All good." not in out


def test_the_name_of_an_attribute_is_cut(data, capsys):
    name = "x" * 1000
    (data / "long.csv").write_text(
        f"image_filename,city,region,country,continent,{name}\na.png,,,France,,1\n"
    )
    assert main([f"--csv={data / 'long.csv'}"]) == 0
    out = capsys.readouterr().out
    assert "attributes: 'xxx" in out
    assert "x" * 100 not in out


def test_ambiguous_names_are_told_one_by_one(data, capsys):
    rows = ["a.png,Springfield,,USA,,,,", "b.png,Springfield,,USA,,,,", "c.png,Frankfurt,,DE,,,,"]
    (data / "test.csv").write_text(HEADER + "\n".join(rows) + "\n")
    (data / "candidates.json").write_text(
        json.dumps({"USA": ["Springfield"], "Germany": ["Frankfurt am Main"]})
    )
    csv, candidates = data / "test.csv", data / "candidates.json"
    assert main([f"--csv={csv}", f"--candidates_file={candidates}"]) == 0
    out = capsys.readouterr().out
    assert "names without coordinates that fit several cities: 2." in out
    assert (
        "? 'Springfield, US': 2 images; counts as no candidate; the name fits 'Springfield, " in out
    )
    assert "? 'Frankfurt, DE': 1 images; counts as 'Frankfurt am Main', the largest; also" in out
    assert "'Frankfurt (Oder), Brandenburg'" in out
    assert "the city of 33.3% (1)" in out


def test_candidates_outside_their_country_are_warned_of(data, capsys):
    cities = [
        {"city": "Lyon", "latitude": 0, "longitude": 0},
        {"city": "Nice", "latitude": 7.27, "longitude": 43.70},
        {"city": "Paris", "latitude": 48.86, "longitude": 2.35},
    ]
    (data / "candidates.json").write_text(json.dumps({"France": cities}))
    (data / "test.csv").write_text(f"{HEADER}a.png,Paris,,France,,,,\n")
    assert (
        main([f"--csv={data / 'test.csv'}", f"--candidates_file={data / 'candidates.json'}"]) == 0
    )
    lines = capsys.readouterr().out.splitlines()
    lyon, nice = [line for line in lines if line.startswith("! ")]
    assert "'Lyon, FR': latitude 0, longitude 0 lies 4,693 km outside France" in lyon
    assert "'Nice, FR': " in nice
    assert "but inside when the two are swapped" in nice
    assert lines[-1] == "Nothing bad. Check the warnings above."


def test_a_name_that_fits_several_cities_is_not_all_good(data, capsys):
    (data / "candidates.json").write_text(json.dumps({"USA": ["Boston"]}))
    (data / "test.csv").write_text(f"{HEADER}a.png,Springfield,,USA,,,,\n")
    assert (
        main([f"--csv={data / 'test.csv'}", f"--candidates_file={data / 'candidates.json'}"]) == 0
    )
    assert "All good." not in capsys.readouterr().out


def test_files_that_nearly_share_pictures_and_places_are_warned_of(data, capsys):
    noise = Image.effect_noise((90, 60), 90).resize((300, 200)).convert("RGB")
    noise.save(data / "images" / "0.png")
    noise.save(data / "images" / "again.jpg", quality=60)
    train = data / "train.csv"
    train.write_text(f"{HEADER}again.jpg,Paris,,France,,48.905,2.3,spring\n")
    files = ["--csv", str(data / "test.csv"), str(train)]
    assert (
        main([*files, f"--image_dir={data / 'images'}", "--num_workers=0", "--near_duplicates"])
        == 0
    )
    out = capsys.readouterr().out
    assert "train.csv: 1 images are within 1 km of one of" in out
    assert "train.csv nearly share 1 pictures:\n    '0.png' on line 2 and 'again.jpg' on" in out
    assert "Check the warnings above." in out


def test_near_duplicates_need_two_files(data, capsys):
    assert check(data, "--near_duplicates") == 2
    assert "expected two or more with --csv" in capsys.readouterr().err
