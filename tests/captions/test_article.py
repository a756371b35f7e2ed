import pytest

from streetclip.captions.patterns import the_country

# LukasHaas/PIGEON, dataset_creation/pretrain/pretrain_dataset.py
PIGEON = [
    "Bahamas", "British Virgin Islands", "Cayman Islands", "Cocos Islands", "Comoros",
    "Cook Islands", "Falkland Islands", "Faroe Islands", "French Southern Territories", "Maldives",
    "Marshall Islands", "Netherlands", "Northern Mariana Islands", "Paracel Islands",
    "Philippines", "Pitcairn Islands", "Seychelles", "Solomon Islands", "Spratly Islands",
    "Turks and Caicos Islands", "United Arab Emirates", "United States",
]  # fmt: skip
MORE = [
    "United Kingdom", "UK", "USA", "US", "UAE", "United States of America", "Czech Republic",
    "Dominican Republic", "Central African Republic", "Democratic Republic of the Congo",
    "Gambia", "Isle of Man", "Russian Federation", "Republic of Korea", "Vatican",
    "People's Republic of China", "Federated States of Micronesia", "Falkland Islands (Malvinas)",
    "netherlands", "PHILIPPINES", "State of Palestine",
]  # fmt: skip
WITHOUT = [
    "France", "Georgia", "North Macedonia", "Ireland", "Iceland", "Finland", "Christmas Island",
    "Norfolk Island", "Antigua and Barbuda", "Sudan", "Niger", "Vatican City", "Hong Kong",
    "Iran (Islamic Republic of)", "South Georgia and the South Sandwich Islands",
    "Saint Vincent and the Grenadines", "Heard Island and McDonald Islands", "Ukraine", "",
]  # fmt: skip


@pytest.mark.parametrize("name", [*PIGEON, *MORE])
def test_some_countries_take_the_article(name):
    assert the_country(name) == f"the {name}"


@pytest.mark.parametrize("name", WITHOUT)
def test_most_countries_take_none(name):
    assert the_country(name) == name


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("The Netherlands", "the Netherlands"),
        ("the Gambia", "the Gambia"),
        ("Bahamas, The", "the Bahamas"),
        ("  United   States ", "the United States"),
    ],
)
def test_an_article_in_the_manifest_is_not_doubled(written, expected):
    assert the_country(written) == expected
