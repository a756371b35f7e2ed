import pytest

from streetclip.data.mojibake import has_lost_characters, repair_mojibake
from streetclip.gazetteer import countries, most_populous_cities
from streetclip.gazetteer.data_files import country_additions

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
    aliases = [name for each in country_additions().values() for name in each.get("aliases", ())]
    names = [*cities, *aliases, *NAMES]
    assert len([name for name in names if not name.isascii()]) > 4000
    assert [name for name in names if repair_mojibake(name) is not None] == []


def test_lost_characters_are_seen():
    assert has_lost_characters("M\ufffdnchen")
    assert not has_lost_characters("München")
