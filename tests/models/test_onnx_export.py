import json

import numpy as np
import onnxruntime
import pytest
import torch

from streetclip.captions.prompts import PAPER_PROMPTS
from streetclip.errors import ConfigError, StreetClipError
from streetclip.models import onnx_export
from streetclip.models.loading import load_encoder
from streetclip.models.onnx_export import IMAGE_GRAPH, TEXT_GRAPH, save_onnx

pytestmark = pytest.mark.slow

TEXTS = ["A Street View photo in France.", "Zürich", "", "x " * 60]


def session(path):
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def features(folder, graph, inputs):
    return session(folder / graph).run(["features"], {k: v.numpy() for k, v in inputs.items()})[0]


@pytest.fixture(scope="module")
def exported(encoder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("onnx") / "model"
    before = {name: value.clone() for name, value in encoder.model.state_dict().items()}
    export = save_onnx(encoder, folder, model_card="# card")
    assert all(torch.equal(value, before[n]) for n, value in encoder.model.state_dict().items())
    return folder, export


@pytest.mark.parametrize("count", [1, 3, 7])
def test_image_features_are_those_of_the_encoder_for_any_number(exported, encoder, photos, count):
    from transformers import AutoImageProcessor

    chosen = (photos * 7)[:count]
    processor = AutoImageProcessor.from_pretrained(exported[0], backend="pil")
    found = features(exported[0], IMAGE_GRAPH, processor(images=chosen, return_tensors="pt"))
    pixels = torch.from_numpy(np.stack([encoder.preprocess(photo) for photo in chosen]))
    expected = encoder.encode_images(pixels.permute(0, 3, 1, 2))
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-5)


@pytest.mark.parametrize("count", [1, 3, 4])
def test_text_features_are_those_of_the_encoder_for_any_number_and_length(exported, encoder, count):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(exported[0])
    inputs = tokenizer(
        TEXTS[:count], return_tensors="pt", padding=True, truncation=True, max_length=24
    )
    found = features(exported[0], TEXT_GRAPH, inputs)
    np.testing.assert_allclose(found, encoder.encode_texts(TEXTS[:count]).numpy(), atol=1e-5)


def test_the_differences_that_are_reported_are_small_but_measured(exported):
    _, export = exported
    assert 0 < export.image_difference < 1e-5
    assert 0 < export.text_difference < 1e-5


def test_what_scores_are_made_with_stands_beside_the_graphs(exported, encoder):
    notes = json.loads((exported[0] / "streetclip.json").read_text())
    assert notes["logit_scale"] == pytest.approx(encoder.logit_scale)
    assert notes["logit_bias"] is None
    assert (exported[0] / "README.md").read_text() == "# card"


def test_siglip_is_exported_with_its_bias(siglip_folder, photos, tmp_path):
    encoder = load_encoder(siglip_folder, device="cpu", precision="fp32")
    encoder.prompts = PAPER_PROMPTS
    export = save_onnx(encoder, tmp_path / "m", model_card="")
    assert max(export.image_difference, export.text_difference) < 1e-5
    notes = json.loads((tmp_path / "m" / "streetclip.json").read_text())
    assert notes["logit_bias"] == pytest.approx(encoder.logit_bias)
    assert notes["prompts"] == PAPER_PROMPTS.to_dict()


def test_a_graph_that_computes_something_else_is_refused(exported, encoder):
    inputs = onnx_export._texts(encoder, 3)
    graph = onnx_export._Graph(encoder.model, "get_text_features", tuple(inputs)).eval()
    assert onnx_export._difference(graph, inputs, exported[0] / TEXT_GRAPH) < 1e-5
    with pytest.raises(StreetClipError, match=r"text_encoder\.onnx: gives features that differ"):
        onnx_export._difference(
            lambda *tensors: graph(*tensors).roll(1, 0), inputs, exported[0] / TEXT_GRAPH
        )


def test_missing_packages_are_named_with_the_command_that_installs_them(monkeypatch):
    real = onnx_export.importlib.util.find_spec
    monkeypatch.setattr(
        onnx_export.importlib.util,
        "find_spec",
        lambda name: None if name == "onnxscript" else real(name),
    )
    with pytest.raises(ConfigError) as refusal:
        onnx_export.check_exporter()
    assert "needs onnxscript, not" in str(refusal.value)
    assert "pip install onnx onnxscript onnxruntime" in str(refusal.value)


def test_without_onnxruntime_nothing_is_compared(encoder, tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_export.importlib.util, "find_spec", lambda _name: None)
    assert onnx_export._difference(None, {}, tmp_path / "none.onnx") is None
