"""Datasets of other formats, imported as manifests."""

import csv
from pathlib import Path

import pytest
from PIL import Image
from PIL.ExifTags import GPS, IFD

from streetclip.config import ImportDatasetConfig
from streetclip.data.dataset_import import import_dataset, recognise_dataset
from streetclip.data.dataset_photos import ImageNames
from streetclip.data.manifest import read_manifest
from streetclip.errors import ConfigError, ManifestError

OSV5M = (
    "id,latitude,longitude,thumb_original_url,country,sequence,captured_at,lon_bin,lat_bin,cell,"
    "region,sub-region,city,drive_side\n"
)
IM2GPS = "IMG_ID,AUTHOR,LAT,LON,S3_Label\n"
PLACES = {
    "a_1@N00.jpg": (48.8584, 2.2945), "b.jpg": (-33.8688, 151.2093), "c.jpg": (40.6892, -74.0445),
    "d.jpg": (-22.9519, -43.2105), "e.jpg": (35.6586, 139.7454), "f.jpg": (64.1466, -21.9426),
}  # fmt: skip


@pytest.fixture
def load(tmp_path):
    """Import a text or folder, and read the manifest as any other."""

    def run(source, *, image_dir=None, name="auto", columns=(), **options):
        if isinstance(source, str):
            path = tmp_path / "their.csv"
            path.write_text(source, encoding="utf-8")
            source = path
        dataset = recognise_dataset(source, image_dir, name, columns)
        destination = tmp_path / "out" / "manifest.csv"
        found = import_dataset(dataset, [destination], **options)
        return dataset, found, read_manifest(destination).frame

    return run


def write_photo(path, position=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    if position:
        (latitude, north), (longitude, east) = position
        exif.get_ifd(IFD.GPSInfo).update(
            {GPS.GPSLatitude: (latitude, 0.0, 0.0), GPS.GPSLatitudeRef: north,
             GPS.GPSLongitude: (longitude, 30.0, 0.0), GPS.GPSLongitudeRef: east}
        )  # fmt: skip
    Image.new("RGB", (8, 8)).save(path, exif=exif)


def im2gps(header=IM2GPS, places=PLACES):
    return header + "".join(f"{n},78@N00,{y},{x},0\n" for n, (y, x) in places.items())


def test_im2gps_gets_its_names_from_the_coordinates(load):
    dataset, found, frame = load(im2gps())
    assert dataset.format == "im2gps"
    assert dict(dataset.columns) == {
        "image_filename": "IMG_ID", "latitude": "LAT", "longitude": "LON"
    }  # fmt: skip
    assert frame["country_code"].tolist() == ["FR", "AU", "US", "BR", "JP", "IS"]
    assert frame["city"][1] == "Sydney"
    assert frame["region"][1] == "New South Wales"
    assert frame["latitude_deg"][1] == -33.8688
    assert set(frame["country_source"]) == set(frame["city_source"]) == {"coordinates"}
    assert set(frame["coordinates_source"]) == {"dataset"}
    assert frame["AUTHOR"][0] == "78@N00"
    assert found.counts.num_rows == 6
    assert found.counts.left_out == []


def test_swapped_headers_are_detected_and_the_mapping_offered_mends_them(load):
    text = im2gps("IMG_ID,AUTHOR,LON,LAT,S3_Label\n")
    with pytest.raises(ManifestError, match="LAT and LON are swapped: of 6 points 5 are") as caught:
        load(text)
    advice = str(caught.value).partition("Add --columns ")[2].partition(";")[0].split()
    assert load(text, columns=advice)[2]["city"][1] == "Sydney"


def test_a_few_odd_points_are_not_a_swap_but_bad_rows_or_images_left_out(load):
    odd = {"sea.jpg": (0.0, 0.0), "high.jpg": (95.0, 2.0), "half.jpg": (48.0, "")}
    many = {f"{i}.jpg": PLACES["a_1@N00.jpg"] for i in range(30)}
    text = im2gps(places=many | odd)
    with pytest.raises(
        ManifestError, match=r"their\.csv:33: latitude is 95.*\n.*:34: longitude is"
    ):
        load(text)
    _, found, frame = load(text, on_bad_rows="skip")
    assert len(frame) == 30
    assert found.num_skipped == 2
    assert found.counts.num_rows == 33
    assert found.counts.left_out == [
        ("sea.jpg", "no country, and coordinates more than 100 km from land")
    ]


def test_osv5m_keeps_its_names_and_finds_its_images_by_id(load, tmp_path):
    for name in ("00/11.jpg", "01/22.jpg", "01/99.jpg"):
        write_photo(tmp_path / "images" / name)
    rows = (
        "11,48.86,2.35,u,FR,s,1,0,0,c,Île-de-France,Paris,Paris,1\n"
        "22,-22.56,17.08,u,NA,s,1,0,0,c,,,,0\n"
        "33,13.75,100.49,u,TH,s,1,0,0,c,Bangkok,nan,nan,0\n"
    )
    dataset, found, frame = load(OSV5M + rows, image_dir=tmp_path / "images")
    assert dataset.format == "osv5m"
    assert frame["image_filename"].tolist() == ["00/11.jpg", "01/22.jpg", "33.jpg"]
    assert frame["country_code"].tolist() == ["FR", "NA", "TH"]
    assert frame["city"].tolist() == ["Paris", "Windhoek", "Bangkok"]
    assert frame["city_source"].tolist() == ["dataset", "coordinates", "coordinates"]
    assert frame["region_source"].tolist() == ["dataset", "coordinates", "dataset"]
    assert found.counts.missing == ["33.jpg"]
    assert found.without_row == ("01/99.jpg",)


def test_a_table_of_global_streetscapes_marks_coordinates_of_cities(load):
    header = "uuid,source,orig_id,city,city_lat,city_lon,country,iso2,admin_name\n"
    dataset, _, frame = load(f"{header}u1,Mapillary,7,Stuttgart,48.7,9.1,Germany,DE,\n")
    assert dataset.format == "global_streetscapes"
    assert frame["image_filename"].tolist() == ["u1.jpeg"]
    assert frame["coordinates_source"].tolist() == ["city"]
    assert frame["region_source"].tolist() == ["coordinates"]
    assert frame["country (csv)"].tolist() == ["Germany"]


def test_a_mapping_names_columns_and_cities_give_coordinates(load):
    text = (
        "pic,place,cc,city,=sum\n"
        "-1.jpg,Lyon,FRA,x,=1+1\n"
        '"2,a.jpg",Springfield,USA,"say ""y""",@z\n'
        "3.jpg,,Holland,,\n"
    )
    columns = ("image_filename=pic", "city=place", "country=cc")
    dataset, found, frame = load(text, columns=columns)
    assert dataset.format == "table"
    assert frame["image_filename"].tolist() == ["-1.jpg", "2,a.jpg", "3.jpg"]
    assert frame["country_code"].tolist() == ["FR", "US", "NL"]
    assert frame["coordinates_source"].tolist() == [
        "gazetteer",
        "",
        "",
    ]  # of many Springfields none
    assert frame["latitude_deg"][0] == pytest.approx(45.75, abs=0.1)
    assert frame["city (csv)"].tolist() == ["x", 'say "y"', ""]
    assert frame["=sum"].tolist() == ["=1+1", "@z", ""]
    assert found.counts.filled["coordinates", "gazetteer"] == 1


def test_formulas_are_defused_in_the_file(load, tmp_path):
    load("image,country,note\n1.jpg,France,=HYPERLINK(1)\n")
    with (tmp_path / "out" / "manifest.csv").open(encoding="utf-8", newline="") as file:
        assert "'=HYPERLINK(1)" in next(row for i, row in enumerate(csv.reader(file)) if i)


def test_a_names_country_is_kept_where_its_coordinates_lie_elsewhere(load):
    _, _, frame = load("image,country,lat,lon\n1.jpg,Belgium,48.86,2.35\n2.jpg,,48.86,2.35\n")
    assert frame["country_code"].tolist() == ["BE", "FR"]
    assert frame["city"].tolist() == ["", "Paris"]


def test_folders_name_countries(load, tmp_path):
    photos = tmp_path / "geoguessr"
    for name in ("South_Korea/a.jpg", "FR/Lyon/b.png", "FR/c.jpg", "FR/.hidden.jpg", "d.jpg"):
        write_photo(photos / name)
    (photos / "FR" / "notes.txt").write_text("x")
    dataset, found, frame = load(photos)
    assert dataset.format == "folders"
    places = dict(zip(frame["image_filename"], frame["country_code"] + frame["city"], strict=True))
    assert places == {"South_Korea/a.jpg": "KR", "FR/Lyon/b.png": "FRLyon", "FR/c.jpg": "FR"}
    assert set(frame["country_source"]) == {"folder"}
    assert found.counts.left_out == [("d.jpg", "neither country nor coordinates")]
    (photos / "Frnace").mkdir()
    write_photo(photos / "Frnace" / "e.jpg")
    with pytest.raises(ManifestError, match=r"'Frnace'.*\n.*Did you mean France"):
        load(photos)


def test_photos_without_gps_get_no_truth(load, tmp_path):
    photos = tmp_path / "photos"
    write_photo(photos / "a" / "gps.jpg", ((33.0, "S"), (151.0, "E")))
    write_photo(photos / "no_side.jpg", ((33.0, ""), (151.0, "E")))
    write_photo(photos / "none.jpg")
    (photos / "broken.jpg").write_text("<html>")
    dataset, found, frame = load(photos)
    assert dataset.format == "exif"
    assert frame["image_filename"].tolist() == ["a/gps.jpg"]
    assert (frame["latitude_deg"][0], frame["longitude_deg"][0]) == (-33.0, 151.5)
    assert frame["country_code"].tolist() == ["AU"]
    assert frame["coordinates_source"].tolist() == ["EXIF"]
    assert [name for name, _ in found.counts.left_out] == ["broken.jpg", "no_side.jpg", "none.jpg"]
    (photos / "a" / "gps.jpg").unlink()
    with pytest.raises(ManifestError, match="none of 3 images has a place"):
        load(photos)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"image": "a.jpg"}\n', "is JSON text"),
        ("PAR1....", "is a Parquet file"),
        ("image;country;city\na.jpg;FR;x\n", "separated by ';'"),
        ("a,b\n1,2\n", r"no column of images \(image_filename\) or places"),
        ("image,country\na.jpg,FR,x\nb.jpg\n", r"2 bad rows.*\n.*csv:2: has 3 cells; expected 2"),
        ("image,country\na.jpg,FR\n./a.jpg,DE\n", "repeats line 2"),
        ("image,country\n../a.jpg,FR\n", "leaves the image folder"),
        ("image,country\na.jpg,Frnace\n", "Did you mean France"),
        ("image,country\n", "has a header but no row"),
    ],
)
def test_what_is_no_dataset_is_refused_with_the_cause(load, text, expected):
    with pytest.raises(ManifestError, match=expected):
        load(text)


@pytest.mark.parametrize("column", ["town=place", "city=nowhere", "city"])
def test_a_mapping_of_what_is_not_there_is_refused(load, column):
    with pytest.raises(ConfigError, match="--columns has"):
        load("image,country\na.jpg,FR\n", columns=(column,))


@pytest.mark.parametrize("shares", [(0.8, 0.2), (0.8, 0.1, 0.2), (1.5, -0.5, 0.0)])
def test_shares_are_three_and_sum_to_one(shares):
    with pytest.raises(ConfigError, match="--split"):
        ImportDatasetConfig(input=Path("x"), split=shares)


def test_a_split_needs_coordinates(tmp_path):
    path = tmp_path / "their.csv"
    path.write_text("image,country\na.jpg,France\n")
    outputs = [tmp_path / name for name in ("train.csv", "val.csv", "test.csv")]
    with pytest.raises(ManifestError, match="1 of 1 images have no coordinates"):
        import_dataset(recognise_dataset(path, None), outputs, shares=(0.8, 0.1, 0.1))
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("x/FR/1.jpg", "x/FR/1.jpg"), ("./x/FR/1", "x/FR/1.jpg"), ("FR/7.jpg", "x/FR/7.jpg"),
        ("7", "x/FR/7.jpg"), ("images/x/FR/7.jpg", "x/FR/7.jpg"), ("DE/7.jpg", None),
        ("1.jpg", None), ("", None), ("FR", None),
    ],
)  # fmt: skip
def test_an_image_is_found_under_one_path_alone(tmp_path, name, expected):
    for path in ("x/FR/1.jpg", "x/DE/1.jpg", "x/FR/7.jpg"):
        write_photo(tmp_path / path)
    assert ImageNames(tmp_path).find(name) == expected
