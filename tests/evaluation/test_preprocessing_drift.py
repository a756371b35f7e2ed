"""What the fast preprocessing changes is measured against the exact one, on the run's images."""

import dataclasses
import logging

import numpy as np
import pytest
import torch
from PIL import Image

from streetclip.evaluation.predictor import build_classifier
from streetclip.evaluation.preparation import load_inputs
from streetclip.evaluation.preprocessing_drift import report_drift
from streetclip.evaluation.runner import evaluate
from tests.evaluation.configs import config_in


class Blurred:
    """A preprocessing that is far from exact: grey."""

    def __init__(self, exact):
        self.exact = exact

    def __call__(self, image):
        return np.full_like(self.exact(image), 128)


@pytest.fixture(scope="module")
def inputs(small_world, tmp_path_factory):
    folder = tmp_path_factory.mktemp("drift")
    return load_inputs(config_in(small_world, folder, batch_size=32, no_cache=True))


@pytest.fixture(scope="module")
def classifier(inputs):
    return build_classifier(inputs.encoder, inputs.candidates, inputs.prompts)


@pytest.fixture
def photos(tmp_path):
    """Large JPEG files, which the fast preprocessing decodes at a reduced scale."""
    paths = []
    for number in range(3):
        noise = np.random.default_rng(number).integers(0, 256, (9, 12, 3), np.uint8)
        image = Image.fromarray(noise).resize((1200, 900), Image.Resampling.BICUBIC)
        paths.append(tmp_path / f"{number}.jpg")
        image.save(paths[-1], quality=90)
    return paths


def plain_features(encoder, paths, preprocess):
    from streetclip.data.image_batches import iterate_batches

    (batch,) = iterate_batches(paths, preprocess, batch_size=len(paths), num_workers=0)
    return encoder.encode_images(batch.pixels_BCHW).half().double()


def test_the_drift_is_what_a_plain_comparison_finds(inputs, classifier, photos, caplog):
    caplog.set_level(logging.INFO, logger="streetclip")
    encoder = inputs.encoder
    for preprocess in (encoder.fast_preprocess, Blurred(encoder.preprocess)):
        sample = [photos[0], photos[2]]  # two of three, the ends
        found = report_drift(photos, encoder, preprocess, classifier)
        one = plain_features(encoder, sample, preprocess)
        other = plain_features(encoder, sample, encoder.preprocess)
        cosines = torch.nn.functional.cosine_similarity(one, other)
        assert found.num_images == 2
        assert caplog.messages[-1].endswith(
            f"on 2 images the country is the same for {found.same_country}, the city for "
            f"{found.same_city}; cosine of the features at least {found.least_cosine:.5f}"
        )
        assert found.least_cosine == pytest.approx(float(cosines.min()), abs=1e-6)
        for count, weights in (
            (found.same_country, classifier.country_features_CD),
            (found.same_city, classifier.city_features_MD),
        ):
            best = [(each @ weights.double().T).argmax(1) for each in (one, other)]
            assert count == int((best[0] == best[1]).sum())
    assert found.least_cosine < 0.99  # grey is told from a photo


def test_exact_preprocessing_has_no_drift(inputs, classifier, photos):
    assert report_drift(photos, inputs.encoder, inputs.encoder.preprocess, classifier) is None
    assert report_drift([], inputs.encoder, inputs.encoder.fast_preprocess, classifier) is None


def test_images_that_cannot_be_read_do_not_count(inputs, classifier, photos):
    photos[0].write_bytes(b"no image")
    fast = inputs.encoder.fast_preprocess
    assert report_drift(photos, inputs.encoder, fast, classifier).num_images == 1
    photos[2].unlink()
    assert report_drift(photos, inputs.encoder, fast, classifier) is None


def test_a_run_says_it_once_unless_it_is_exact(inputs, tmp_path, caplog):
    with caplog.at_level(logging.INFO, logger="streetclip"):
        evaluate(inputs)
        assert caplog.text.count("against --exact_preprocessing") == 1
        assert "on 2 images" in caplog.text
        caplog.clear()
        config = dataclasses.replace(
            inputs.config, exact_preprocessing=True, output_dir=tmp_path / "exact"
        )
        evaluate(dataclasses.replace(inputs, config=config))
        assert "against --exact_preprocessing" not in caplog.text
