"""Tables of predictions as other programs write them are read as places."""

import json

import numpy as np
import pandas as pd
import pytest

from streetclip.config import PREDICTION_FORMATS
from streetclip.data.prediction_formats import FORMATS
from streetclip.data.predictions import read_predictions
from streetclip.errors import ConfigError, ManifestError


def read(folder, text, *mapping, name="p.csv", form="auto"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return read_predictions(path, form, mapping)


def places(found):
    frame = found.frame
    columns = (frame[name].tolist() for name in ("image", "country_code", "latitude_deg"))
    return list(zip(*columns, strict=True))


PUBLISHED = {
    "streetclip": "image_filename,pred_country,pred_city,pred_latitude_deg,pred_longitude_deg,"
    "country_probability,error\n'=a.jpg,FR,Paris,48.5,2.3,0.5,\n",
    "geobench": "location_id,country_true,lat_true,lng_true,refused,error_message,country_guess,"
    "lat_guess,lng_guess,distance_km,score,country_correct\n"
    "=a.jpg,Spain,40,-3,False,,France,48.5,2.3,1000,2000,False\n",
    "georanker": "IMG_ID,LAT,LON,LAT_pred,LON_pred,max_reward,geodesic\n=a.jpg,1,2,48.5,2.3,9,7\n",
    "g3": "IMG_ID,LAT,LON,zs_0_latitude,zs_0_longitude\n=a.jpg,1,2,48.5,2.3\n",
    "imageo": json.dumps(
        {
            "image_file": "=a.jpg",
            "error": None,
            "location_info": {"address": "1 Rue, 75001 Paris, France", "lat": 48.5, "lng": 2.3},
        }
    ),
    "vlm": "image_name,model_response,label_city,label_country,predicted_city,predicted_country,"
    "label_lat,label_long,predicted_lat,predicted_long,distance\n"
    '=a.jpg,"{""lat"": 1}",Rome,Italy,Paris,France,1,2,48.5,2.3,9\n',
    "geoestimation": "img_id,p_key,pred_class,pred_lat,pred_lng\n=a.jpg,coarse,1,0,0\n"
    "=a.jpg,hierarchy,1,48.5,2.3\n",
    "earthwhere": "panoId,ground_truth,predicted,choices,correct,response\n"
    "=a.jpg,Spain,France,[],False,x\n",
    "osv5m": "id,latitude,longitude,country,region,sub-region,city\n=a.jpg,48.5,2.3,FR,,,Paris\n",
    "geoclip": "image,rank,lat,lon,prob\n=a.jpg,1,48.5,2.3,0.5\n=a.jpg,2,1,1,0.1\n",
    "table": "File Name,Predicted Country,guess_lat,guess_lng\n=a.jpg,France,48.5,2.3\n",
}


def test_every_format_has_an_example_and_a_choice():
    names = {each.name for each in FORMATS}
    assert names == set(PUBLISHED) == set(PREDICTION_FORMATS)


@pytest.mark.parametrize("form", PUBLISHED)
def test_a_published_format_is_recognised_and_read(tmp_path, form):
    found = read(tmp_path, PUBLISHED[form])
    assert found.format.name == form
    image, code, latitude_deg = places(found)[0]
    assert image == "=a.jpg"
    assert code in ("", "FR")
    assert code == "FR" or latitude_deg == 48.5
    assert latitude_deg == 48.5 or form == "earthwhere"
    assert (found.frame["error"] == "").all()


@pytest.mark.parametrize("usual", ["USA", "UK", "Viet Nam", "Holland", "Deutschland", "ไทย", "مصر"])
def test_a_country_is_known_by_any_usual_name(tmp_path, usual):
    codes = {"USA": "US", "UK": "GB", "Viet Nam": "VN", "Holland": "NL", "Deutschland": "DE"}
    expected = codes.get(usual, "TH" if usual == "ไทย" else "EG")
    found = read(tmp_path, f"image,country\na.jpg,{usual}\nb.jpg,{expected}\n")
    assert found.frame["country_code"].tolist() == [expected, expected]
    assert not found.unknown_countries


def test_every_row_is_kept_with_the_reason_why_it_names_no_place(tmp_path):
    text = (
        "image,country,lat,lon,refused,error\n"
        "a,,,,True,safety\nb,Atlantis,,,,\nc,,151,-33,,\nd,nan,,None,,\ne,France,151,-33,,\n"
        "f,,33.5° S,151.2E,,\n"
    )
    found = read(tmp_path, text)
    a, b, c, d, e, f = found.frame["error"]
    assert (a, b, e, f) == ("refused: safety", "the country 'Atlantis' is unknown", "", "")
    assert c == "latitude is 151; expected −90 to 90. Are the columns swapped?"
    assert d == "the answer names no place"
    assert found.num_bad_coordinates == 2
    assert found.frame["latitude_deg"][5] == -33.5
    assert dict(found.unknown_countries) == {"Atlantis": 1}


@pytest.mark.parametrize(
    ("answer", "code", "city", "latitude_deg"),
    [
        ('I say {"lat": -37.8, "lng": 144.9, "city": Sale, "country": Fiji}', "FJ", "Sale", -37.8),
        ("**Country:** Japan\n**Latitude:** 35.6° N\n**Longitude:** 139.7° E", "JP", "", 35.6),
        ('```json\n{"address": "5th Ave, Albany, NY 12207, USA"}\n```', "US", "Albany", None),
        ("It may be near (48.8566, 2.3522), in 1999 or so.", "", "", 48.8566),
        ("In 1999, 20 people stood here.", "", "", None),
    ],
)  # fmt: skip
def test_an_answer_in_prose_is_read_where_it_is_definite(
    tmp_path, answer, code, city, latitude_deg
):
    quoted = answer.replace('"', '""')
    found = read(tmp_path, f'image,model_response\na.jpg,"{quoted}"\n').frame
    assert (found["country_code"][0], found["city"][0]) == (code, city)
    assert found["latitude_deg"].equals(
        pd.Series([np.nan if latitude_deg is None else latitude_deg])
    )


def test_zeros_of_a_format_that_writes_them_for_nothing_are_nothing(tmp_path):
    text = "IMG_ID,zs_0_latitude,zs_0_longitude\na,0.0,0.0\nb,0.0,9.5\n"
    assert read(tmp_path, text).frame["error"].tolist() == ["the answer names no place", ""]


def test_confidences_are_shares_or_per_cent_or_left_out(tmp_path):
    text = "image,country,confidence\na,FR,{}\nb,FR,{}\nc,FR,\n"
    for written, expected in (((0.5, 1), [0.5, 1.0]), ((50, 5), [0.5, 0.05]), ((4999, -1), None)):
        found = read(tmp_path, text.format(*written)).frame["confidence"]
        assert found[:2].tolist() == expected if expected else found[:2].isna().all()
        assert np.isnan(found[2])


def test_columns_are_mapped_by_hand(tmp_path):
    text = "x,y,place,cc,who\n2.3,48.5,Paris,FR,a.jpg\n"
    found = read(tmp_path, text, "image=who", "city=place", "country=cc")
    assert places(found) == [("a.jpg", "FR", 48.5)]
    assert found.frame["city"][0] == "Paris"
    with pytest.raises(ConfigError, match=r"--columns is 'town=place'; expected ROLE=COLUMN with"):
        read(tmp_path, text, "town=place")
    with pytest.raises(ManifestError, match=r"p\.csv: has no column 'plaice', which --columns"):
        read(tmp_path, text, "city=plaice")
    with pytest.raises(ManifestError, match=r"no column of images was found; its columns are 'x'"):
        read(tmp_path, text)


ROWS = [{"image": "a,1.jpg", "lat": 48.5, "lon": 2.25}, {"image": 'b"2".jpg', "country": "France"}]


def test_json_lines_a_json_list_and_parquet_read_like_csv(tmp_path):
    (tmp_path / "p.parquet").write_bytes(pd.DataFrame(ROWS).to_parquet())
    texts = {
        "lines.csv": "\n".join(map(json.dumps, ROWS)) + "\n",
        "list.json": json.dumps(ROWS, indent=1),
        "p.csv": 'image,lat,lon,country\n"a,1.jpg",48.5,2.25,\n"b""2"".jpg",,,France\n',
    }
    found = [read(tmp_path, text, name=name).frame for name, text in texts.items()]
    found.append(read_predictions(tmp_path / "p.parquet").frame)
    for frame in found:
        assert frame["image"].tolist() == [row["image"] for row in ROWS]
        assert frame["country_code"].tolist() == ["", "FR"]
        assert frame["latitude_deg"][0] == 48.5
        assert np.isnan(frame["latitude_deg"][1])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"image": "a", "country": "FR"}\n{"image": \n', r":2: is not JSON \(.*one JSON object a"),
        ('{"image": "a"}\n[1]\n', r":2: is '\[1\]'; expected a JSON object"),
        ("image,country\na,FR\nb,FR,x\n", r":3: has 3 cells; expected 2, as in the header"),
        ("image;country\na;FR\n", r"separated by ';'; expected ','"),
        ("image,country,image\na,FR,b\n", r"'image' names more than one column"),
        ("image,country\n", r"has no row; expected a row for each image"),
        ("", r"is empty"),
        ("PAR1 but not", r"cannot be read as Parquet"),
    ],
)
def test_a_damaged_table_is_named_with_its_line(tmp_path, text, message):
    with pytest.raises(ManifestError, match=message):
        read(tmp_path, text)


def test_a_file_that_is_missing_or_in_another_encoding_is_named(tmp_path):
    with pytest.raises(ManifestError, match=r"p\.csv: cannot be read \(No such file"):
        read_predictions(tmp_path / "p.csv")
    (tmp_path / "p.csv").write_bytes("image,country,city\na,FR,Orléans\n".encode("cp1252"))
    with pytest.raises(ManifestError, match=r"p\.csv:2: byte 0xE9 .* is not UTF-8"):
        read_predictions(tmp_path / "p.csv")
