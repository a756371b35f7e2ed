import pytest

from streetclip.data.encodings import offer_encodings, repair_mojibake
from streetclip.data.row_checks import _text_doubt
from streetclip.gazetteer import countries, most_populous_cities
from streetclip.gazetteer.data_files import country_table

HEADER = "image_filename,city,region,country,continent\n"


@pytest.fixture
def offer(tmp_path):
    def _offer(text, codec, header=HEADER):
        path = tmp_path / "a.csv"
        path.write_bytes((header + text).encode(codec))
        return offer_encodings(path)

    return _offer


@pytest.mark.parametrize(
    ("city", "country", "codec", "name"),
    [
        ("Saint-Étienne", "France", "cp1252", "WINDOWS-1252"),
        ("Москва", "Russia", "cp1251", "WINDOWS-1251"),
        ("Москва", "Russia", "koi8-r", "KOI8-R"),
        ("東京", "Japan", "cp932", "SHIFT_JIS"),
        ("北京", "China", "gb18030", "GB18030"),
        ("Łódź", "Poland", "cp1250", "WINDOWS-1250"),
        ("Orléans", "France", "mac_roman", "MACINTOSH"),
    ],
)
def test_the_encoding_in_which_the_city_is_known_comes_first(offer, city, country, codec, name):
    text = offer(f"a.jpg,{city},,{country},\n", codec)
    assert text.startswith(f"The first text beyond ASCII reads '{city}' ({name}), '")
    assert f"`iconv -f {name} -t UTF-8" in text


def test_several_readings_are_offered_and_no_reading_twice(offer):
    text = offer("a.jpg,Bourg-en-Bré,,France,\n", "cp1252")
    readings = text.split("reads ")[1].split(". Convert")[0].split("), ")
    assert len(readings) == 5
    assert len({reading.rsplit(" (", 1)[0] for reading in readings}) == 5


def test_most_cells_decide_not_the_first(offer):
    rows = "".join(f"{i}.jpg,{city},,Russia,\n" for i, city in enumerate(["Ааабб", "Москва"]))
    assert "reads 'Ааабб' (WINDOWS-1251)" in offer(rows, "cp1251")


def test_a_header_beyond_ascii_is_read_too(offer):
    assert "'saison é' (WINDOWS-1252)" in offer(
        "a.jpg,Lyon,,France,,x\n", "cp1252", HEADER.strip() + ",saison é\n"
    )


def test_bytes_that_no_encoding_reads_still_get_advice(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(HEADER.encode() + b"a.jpg,\xff\x81\x00\x01\xfe\x8d\x9d,,France,\n")
    assert "iconv" in offer_encodings(path)


def test_a_file_that_is_utf8_but_for_one_line_is_not_to_be_converted(tmp_path):
    path = tmp_path / "a.csv"
    rows = "a.jpg,Orléans,,France,\n".encode() + "b.jpg,Orléans,,France,\n".encode("cp1252")
    path.write_bytes(HEADER.encode() + rows)
    advice = offer_encodings(path)
    assert advice.startswith("That text reads 'Orléans' (WINDOWS-1252)")
    assert "do not convert the file" in advice
    assert "iconv" not in advice


NAMES = ["São Paulo", "München", "Côte d'Ivoire", "Москва", "東京都", "القاهرة", "Đồng Hới", "Łódź"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("encoding", ["latin-1", "mac_roman", "cp850"])
def test_utf8_that_was_decoded_in_another_encoding_is_repaired(name, encoding):
    assert repair_mojibake(name.encode().decode(encoding)) == name


@pytest.mark.parametrize("encoding", ["cp1252", "cp1251"])
def test_utf8_that_was_decoded_as_windows_text_is_repaired(encoding):
    for name in ("São Paulo", "München", "Côte d'Ivoire"):
        assert repair_mojibake(name.encode().decode(encoding)) == name


def test_utf8_that_was_decoded_as_dos_text_is_flagged():
    assert all(repair_mojibake(name.encode().decode("cp437")) is not None for name in NAMES)


def test_text_that_was_decoded_wrongly_twice_is_repaired():
    once = "São Paulo".encode().decode("cp1252")
    assert repair_mojibake(once.encode().decode("cp1252")) == "São Paulo"


@pytest.mark.parametrize(
    "name",
    # Each is valid UTF-8 when encoded in another encoding.
    ["Úžice", "Ch’üan-chou-shih", "Kokhav Mikha’él", "Tÿörska", "Еј", "Ті", "Иё", "Korotıç"],
)
def test_a_name_that_happens_to_be_valid_utf8_is_left(name):
    assert repair_mojibake(name) is None


def test_no_real_name_is_flagged():
    cities = [city.name for code in countries() for city in most_populous_cities(code, 10**6)]
    aliases = [
        name for each in country_table()["countries"].values() for name in each.get("aliases", ())
    ]
    names = [*cities, *aliases, *NAMES]
    assert len([name for name in names if not name.isascii()]) > 4000
    assert [name for name in names if repair_mojibake(name) is not None] == []


def test_lost_characters_are_seen():
    assert "U+FFFD" in _text_doubt("M\ufffdnchen")
    assert not _text_doubt("München")
