"""Image processors of old transformers, which called them feature extractors."""

import json
import shutil

import pytest

from streetclip.models.loading import load_encoder


@pytest.fixture
def folder(clip_folder, tmp_path):
    return shutil.copytree(clip_folder, tmp_path / "clip")


MEAN = [0.5, 0.4, 0.3]
SIZES = [
    {"size": 32, "crop_size": 32},
    {"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}},
]


@pytest.mark.parametrize("sizes", SIZES, ids=["numbers", "records"])
@pytest.mark.parametrize("key", ["image_processor_type", "feature_extractor_type", "both"])
def test_a_clip_feature_extractor_loads_as_clips_image_processor(key, sizes, folder, encoder):
    old = {"do_resize": True, "do_center_crop": True, "do_normalize": True, "resample": 3}
    keys = ["image_processor_type", "feature_extractor_type"] if key == "both" else [key]
    old |= dict.fromkeys(keys, "CLIPFeatureExtractor") | sizes | {"image_mean": MEAN}
    (folder / "preprocessor_config.json").write_text(json.dumps(old | {"image_std": MEAN}))
    loaded = load_encoder(folder, device="cpu", precision="fp32")
    assert type(loaded.image_processor).__name__ == "CLIPImageProcessorPil"
    assert loaded.preprocess == encoder.preprocess
    assert list(loaded.image_processor.image_mean) == MEAN


@pytest.mark.parametrize("kind", ["Siglip", "ViT"])
def test_feature_extractors_of_other_models_load_by_the_same_rule(kind, folder):
    size = {"height": 32, "width": 32}
    old = {"image_processor_type": f"{kind}FeatureExtractor", "size": size, "image_mean": MEAN}
    (folder / "preprocessor_config.json").write_text(json.dumps(old | {"image_std": MEAN}))
    loaded = load_encoder(folder, device="cpu", precision="fp32")
    assert type(loaded.image_processor).__name__ == f"{kind}ImageProcessorPil"


def test_one_within_a_processor_file_loads_too(folder, encoder):
    old = json.loads((folder / "preprocessor_config.json").read_text())
    (folder / "preprocessor_config.json").unlink()
    record = {"image_processor": old | {"image_processor_type": "CLIPFeatureExtractor"}}
    (folder / "processor_config.json").write_text(json.dumps(record))
    loaded = load_encoder(folder, device="cpu", precision="fp32")
    assert loaded.preprocess == encoder.preprocess


def test_the_folder_itself_is_not_changed(folder):
    path = folder / "preprocessor_config.json"
    old = json.loads(path.read_text()) | {"image_processor_type": "CLIPFeatureExtractor"}
    path.write_text(json.dumps(old))
    before = {each.name: each.read_bytes() for each in folder.iterdir()}
    load_encoder(folder, device="cpu", precision="fp32")
    assert {each.name: each.read_bytes() for each in folder.iterdir()} == before
