import pytest
import yaml

from streetclip.models.model_card import (
    card_header,
    code_span,
    licence_of,
    plain_text,
    read_licence,
)

HOSTILE = [
    "mit\n---\n# <script>",
    "a: b\nlicense: cc0-1.0",
    "'\"`{}[]!&*#%@|>-?:,",
    "---",
    "\x00\x1b[31m\u202e\u2028",
    "caf\udce9 😀 é",
    "x" * 5000,
    "null",
    "2024-01-01",
]


def _read(header):
    assert header.startswith("---\n")
    assert header.endswith("\n---")
    body = header[4:-4]
    assert "---" not in body.splitlines()
    return yaml.safe_load(body)


def folder_with(tmp_path, card):
    (tmp_path / "README.md").write_bytes(card if isinstance(card, bytes) else card.encode())
    return tmp_path


def test_a_hub_model_is_named_with_its_licence():
    licence = {"license": "other", "license_name": "my terms", "license_link": "https://x/y"}
    header = _read(card_header("geolocal/StreetCLIP", licence))
    assert header["base_model"] == "geolocal/StreetCLIP"
    assert {key: header[key] for key in licence} == licence
    assert header["pipeline_tag"] == "zero-shot-image-classification"


@pytest.mark.parametrize("base", ["/home/someone/model", "data/demo/model", "outputs/best.pt"])
def test_a_local_path_is_kept_out(base):
    assert "base_model" not in _read(card_header(base, {}))


def test_a_model_of_unknown_licence_states_none():
    header = _read(card_header("openai/clip-vit-large-patch14-336", {}))
    assert header["base_model"] == "openai/clip-vit-large-patch14-336"
    assert "license" not in header


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_breaks_out_of_the_header(text):
    plain = _read(card_header("a/b", {}))
    header = _read(card_header("a/b", {"license": text, "license_name": text, "tags": text}))
    assert set(header) <= set(plain) | {"license", "license_name"}
    assert {key: header[key] for key in plain} == plain
    assert all(isinstance(header.get(key, ""), str) for key in ("license", "license_name"))


@pytest.mark.parametrize("text", HOSTILE)
def test_what_a_header_says_is_read_again_from_a_folder(text, tmp_path):
    card = card_header("a/b", {"license": text})
    kept = read_licence(folder_with(tmp_path, card.encode("utf-8", "replace")))
    assert kept == {key: value for key, value in _read(card).items() if key == "license"}


@pytest.mark.parametrize("start", ["", "\ufeff", "\n"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_licence_of_a_card_is_read(start, end, tmp_path):
    lines = ["---", "license: other", "date: 2020-99-99", "license_name: 'x: y'"]
    lines += ["license_link: https://a/b", "model-index: [{a: 1}]", "---", "text"]
    card = end.join(lines)
    found = read_licence(folder_with(tmp_path, start + card))
    assert found == {"license": "other", "license_name": "x: y", "license_link": "https://a/b"}


@pytest.mark.parametrize(
    ("card", "expected"),
    [
        ("---\nlicense: [mit, apache-2.0]\n---\n", {"license": "mit, apache-2.0"}),
        ("---\nlicense: {a: b}\n---\n", {}),
        ("---\nlicense:\n---\n", {}),
        ("---\n- license: mit\n---\n", {}),
        ("---\nlicense: 'mit\n---\n", {}),
        ("---\nlicense: !!python/object/apply:os.system [ls]\n---\n", {"license": "ls"}),
        ("license: mit", {}),
        ("---\nlicense: mit\n", {}),
        ("", {}),
        ("---\n" + "[" * 5000 + "\n---\n", {}),
        (b"\xff\xfe---\nlicense: mit\n---\n", {}),
    ],
)
def test_a_card_that_states_no_licence_is_no_reason_to_refuse_a_model(card, expected, tmp_path):
    assert read_licence(folder_with(tmp_path, card)) == expected


def test_a_folder_without_a_card_states_no_licence(tmp_path):
    assert read_licence(tmp_path) == {}
    (tmp_path / "README.md").mkdir()
    assert read_licence(tmp_path) == {}


def test_the_licence_of_the_record_goes_before_that_of_the_name():
    training = {"licence": {"license": "mit", "more": "x"}}
    assert licence_of(training, "geolocal/StreetCLIP") == {"license": "mit"}
    assert licence_of({}, "geolocal/StreetCLIP") == {"license": "cc-by-nc-4.0"}
    assert licence_of({}, "some/model") == {}


@pytest.mark.parametrize("value", ["x", 3, None, [], {"source": 3}, {"source": ["a"]}])
def test_a_record_of_any_shape_is_read(value):
    assert licence_of({"licence": value, "base_model": value}, "a/b") == {}


@pytest.mark.parametrize("text", ["a`b", "`", "``a", "", "a\n\nb", "<b>", "x ``` y"])
def test_a_code_span_ends_where_it_should(text):
    span = code_span(text)
    fence = span[: len(span) - len(span.lstrip("`"))]
    inside = span[len(fence) : -len(fence)]
    assert span.endswith(fence)
    assert fence not in inside
    assert "\n" not in span


def test_markup_in_a_title_is_text():
    assert plain_text("![a](http://x)\n# b") == r"\!\[a\](http://x) \# b"
