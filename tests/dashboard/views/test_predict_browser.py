"""Photos dropped into the Predict page in a real browser."""

import pytest
from PIL import Image
from PIL.ExifTags import GPS, IFD

from tests.dashboard.conftest import Written
from tests.dashboard.sites import DESK, FORMS, serve

pytestmark = [pytest.mark.browser, pytest.mark.slow]

WAIT_MS = 120_000
SYDNEY = {
    GPS.GPSLatitudeRef: "S",
    GPS.GPSLatitude: (33, 52, 0),
    GPS.GPSLongitudeRef: "E",
    GPS.GPSLongitude: (151, 12, 30),
}


def photos_in(folder):
    exif = Image.Exif()
    exif.get_ifd(IFD.GPSInfo).update(SYDNEY)
    Image.new("RGB", (96, 64), "green").save(folder / "a<img src=x>.jpg", exif=exif)
    Image.new("RGB", (96, 64), "red").save(folder / "b.png")
    (folder / "c.jpg").write_bytes(b"<html>")
    return sorted(folder.iterdir())


def test_dropped_photos_are_placed_shown_and_led_to_a_job(small_world, tmp_path, visit):
    folder = tmp_path / "photos"
    folder.mkdir()
    store = Written(tmp_path / "streetclip.db")
    model, candidates = str(small_world / "model"), str(small_world / "candidates.json")
    store.add_run(model_source=model, candidates_path=candidates)
    with serve(store.path, tmp_path, "--root", str(small_world), "--root", str(tmp_path)) as site:
        visited = visit(viewport=DESK)
        page = visited.go(f"{site}/predict")
        files = photos_in(folder)
        page.locator("[data-testid=stFileUploader] input[type=file]").set_input_files(files)
        page.get_by_text("2 of 3 images predicted; 1 with GPS").wait_for(timeout=WAIT_MS)
        page.locator("[data-testid=stDeckGlJsonChart] canvas").wait_for(timeout=WAIT_MS)
        assert visited.faults(*FORMS) == []
        page.get_by_text("Sydney, Australia, by GPS in its EXIF").wait_for()
        page.get_by_text("is not an image but an HTML page").wait_for()
        assert page.get_by_role("img", name="Photo 1: a<img src=x>.jpg").count() == 1

        page.get_by_role("link", name="start a job").click()
        field = page.get_by_role("textbox", name="Checkpoint path")
        field.wait_for(timeout=WAIT_MS)
        assert field.input_value() == model
        assert page.get_by_role("textbox", name="Candidates file").input_value() == candidates
        page.get_by_role("button", name="Start: predict photos").wait_for(timeout=WAIT_MS)
    assert visited.errors == []
    assert visited.strangers() == []
