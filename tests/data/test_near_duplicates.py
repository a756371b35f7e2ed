import io
import random

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from streetclip.data.near_duplicates import (
    most_alike,
    near_duplicates,
    thumbnails,
)
from streetclip.demo.world import make_scene

NUM_SCENES = 40


def reencoded(image):
    file = io.BytesIO()
    image.resize((240, 160)).save(file, "JPEG", quality=50)
    return Image.open(file).convert("RGB")


def cropped(image):
    width, height = image.size
    x, y = round(width * 0.05 * random.random()), round(height * 0.05 * random.random())
    return image.crop((x, y, x + round(width * 0.95), y + round(height * 0.95)))


def brightened(image):
    return ImageEnhance.Brightness(image).enhance(1.3)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenes")
    random.seed(3)
    for i in range(NUM_SCENES):
        image = make_scene(5, "test", i)[1].image
        image.save(folder / f"{i}.png")
        for change in (reencoded, cropped, brightened):
            change(image).save(folder / f"{i}_{change.__name__}.png")
    return folder


def read(folder, ending=""):
    paths = [folder / f"{i}{ending}.png" for i in range(NUM_SCENES)]
    return thumbnails(paths, num_workers=0)


def test_planted_duplicates_are_found_and_little_else(scenes):
    pictures = read(scenes)
    num_found = num_right = 0
    for change in ("reencoded", "cropped", "brightened"):
        found = near_duplicates(pictures, read(scenes, f"_{change}"))
        num_found += len(found.first_P)
        num_right += np.count_nonzero(found.first_P == found.second_P)
    assert num_right >= 0.95 * 3 * NUM_SCENES
    assert num_right >= 0.99 * num_found


def test_blank_and_unreadable_images_are_like_none(tmp_path):
    Image.new("RGB", (60, 40), "gray").save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"no image")
    pictures = thumbnails([tmp_path / "a.png", tmp_path / "b.png"], num_workers=0)
    assert len(near_duplicates(pictures, pictures).first_P) == 0


def test_the_most_alike_of_many_vectors_are_found_in_any_block():
    rng = np.random.default_rng(2)
    many = rng.normal(size=(5000, 24)).astype("f4")
    many /= np.linalg.norm(many, axis=1, keepdims=True)
    few = many[[4321, 17, 2100]]
    found = most_alike(few, many, 0.6, most=2)
    cosine = few @ many.T
    expected = {(i, j) for i in range(3) for j in np.argsort(-cosine[i])[:2] if cosine[i, j] >= 0.6}
    assert set(zip(found.first_P, found.second_P, strict=True)) == expected
    assert {(0, 4321), (1, 17), (2, 2100)} <= expected
    assert (np.diff(found.cosine_P) <= 0).all()
