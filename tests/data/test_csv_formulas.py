import pytest

from streetclip.data.csv_formulas import defuse, restore


@pytest.mark.parametrize(
    "sign", ["=", "+", "-", "@", "\t", "\r", "\n", *"\uff1d\uff0b\uff0d\uff20"]
)
@pytest.mark.parametrize("before", ["", "'", "''"])
def test_what_a_spreadsheet_takes_for_a_formula_is_defused_and_comes_back(sign, before):
    text = f"{before}{sign}SUM(1)"
    assert defuse(text) == f"'{text}"
    assert restore(f"'{text}") == text


@pytest.mark.parametrize("text", ["Köln", "'s-Gravenhage", "-3.5", "+1e-7", "", "'", "a=1", " =1"])
def test_other_texts_stay_as_they_are(text):
    assert defuse(text) == restore(text) == text
