import pytest
import yaml

from streetclip.models.card import card_header


def _read(header):
    first, body, last = header.partition("\n---")[0], header[4:-4], header[-4:]
    assert first.startswith("---\n")
    assert last == "\n---"
    return yaml.safe_load(body)


def test_a_hub_model_is_named_with_its_licence():
    header = _read(card_header("geolocal/StreetCLIP"))
    assert header["base_model"] == "geolocal/StreetCLIP"
    assert header["license"] == "cc-by-nc-4.0"
    assert header["pipeline_tag"] == "zero-shot-image-classification"


@pytest.mark.parametrize("base", ["/home/someone/model", "data/demo/model", "outputs/best.pt"])
def test_a_local_path_is_kept_out(base):
    assert not {"base_model", "license"} & set(_read(card_header(base)))


def test_a_model_of_unknown_licence_states_none():
    header = _read(card_header("openai/clip-vit-large-patch14-336"))
    assert header["base_model"] == "openai/clip-vit-large-patch14-336"
    assert "license" not in header
