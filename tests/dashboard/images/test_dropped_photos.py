"""Photos that are predicted without being kept."""

import io
import tempfile

import pytest
from PIL import Image

from dashboard.images import dropped_photos
from dashboard.images.dropped_photos import Predictor
from streetclip.config import PredictConfig
from streetclip.errors import ModelError
from streetclip.evaluation.photos import predict_photos
from streetclip.progress import no_stages


def png(width, height):
    file = io.BytesIO()
    Image.new("RGB", (width, height), "grey").save(file, "PNG")
    return file.getvalue()


def test_photos_are_predicted_as_by_the_job_and_leave_nothing(small_world, tmp_path, monkeypatch):
    model, candidates = str(small_world / "model"), small_world / "candidates.json"
    files = sorted((small_world / "images").rglob("*.jpg"))[:3]
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, file in enumerate(files):
        (folder / f"{number}.jpg").write_bytes(file.read_bytes())
    expected = predict_photos(
        PredictConfig(
            image_dir=folder, model_name=model, candidates_file=candidates, num_workers=0,
            no_cache=True,
        )
    ).to_dict("records")  # fmt: skip

    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    monkeypatch.setattr(dropped_photos, "_MOST_PIXELS", 1200 * 900)
    stages = []
    predictor = Predictor(model, str(candidates), is_on_hub=False)

    def noted(task, unit):
        stages.append(task)
        return no_stages(task, unit)

    odd = [("../../<b>.jpg", b"<html>"), ("empty.jpg", b""), ("large.png", png(1201, 900))]
    sent = [*odd, *((file.name, file.read_bytes()) for file in files)]
    found = predictor.predict(sent, noted)
    assert [each.name for each in found] == [name for name, _ in sent]
    assert "is not an image but an HTML page" in found[0].problem
    assert found[1].problem.startswith("is empty")
    assert found[2].problem.startswith("is 1201 × 900 pixels")
    assert [each.fields for each in found[:3]] == [{}] * 3
    for one, same in zip(found[3:], expected, strict=True):
        assert one.problem == ""
        for name in ("pred_country", "pred_city", "top_countries", "country_probability"):
            assert one.fields[name] == same[name]
    assert predictor.predict(odd[:1], noted)[0].problem
    assert stages == ["prompts", "predict"]  # loaded once
    assert [*scratch.iterdir()] == []


def test_a_hub_model_that_is_not_cached_is_not_fetched(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    predictor = Predictor("someone/model", "candidates.json", is_on_hub=True)
    with pytest.raises(ModelError, match="a page downloads nothing"):
        predictor.predict([("a.png", png(8, 8))], no_stages)
