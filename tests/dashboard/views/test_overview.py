"""The overview page in every state of the store, without a browser."""

import json
import sqlite3
import sys

import pytest

from tests.dashboard.pages import Elements, text_of
from tests.dashboard.specs import layers_of, words_of


def markup_of(page):
    return "".join(b for each in page.get("html") if "<style>" not in (b := each.proto.body))


def chart(page, position):
    return json.loads(page.get("vega_lite_chart")[position].proto.spec)


def test_without_a_store_the_page_names_the_file_and_the_commands_that_make_one(open_page):
    page = open_page()
    text = text_of(page)
    assert not page.exception
    assert "streetclip.db: does not exist" in text
    assert "make demo-run" in text
    assert "--mode evaluate" in text


def test_a_file_that_is_no_store_is_refused_in_words(open_page, tmp_path):
    (tmp_path / "streetclip.db").write_bytes(b"hello " * 1000)
    page = open_page()
    assert not page.exception
    assert "expected a StreetCLIP store" in text_of(page)


def test_another_programs_database_is_refused_in_words(open_page, tmp_path):
    with sqlite3.connect(tmp_path / "streetclip.db") as other:
        other.execute("CREATE TABLE runs (id)")
    other.close()
    page = open_page()
    assert not page.exception
    assert "another program" in text_of(page)


def test_an_empty_store_names_the_commands_that_fill_it(open_page, written):
    page = open_page(written.path)
    assert not page.exception
    assert "No run yet" in text_of(page)
    assert "make demo-run" in text_of(page)


def test_a_full_run_shows_its_accuracies_with_interval_denominator_ceiling_and_macro(
    open_page, written
):
    written.add_run()
    page = open_page(written.path)
    text = text_of(page)
    assert not page.exception
    # 70, 45 of 120, 45 of 70; Wilson by hand; macro (45/60 + 20/40 + 5/20) / 3 = 50 %
    assert "58.3 % 49.4–66.8 n = 120 · ceiling 100.0 % · macro 50.0 %" in text
    assert "37.5 % 29.4–46.4 n = 120 · ceiling 91.7 % · macro 33.3 %" in text
    assert "64.3 % 52.6–74.5 n = 70 · ceiling 100.0 % · macro 72.2 %" in text
    assert "partial" not in text


def test_a_full_run_shows_median_geoscore_and_unreadable_images(open_page, written):
    written.add_run()
    text = text_of(open_page(written.path))
    assert "Median distance 300 km" in text
    # (45 · e^(−5/1492.7) + 25 · e^(−300/1492.7) + 46 · e^(−3000/1492.7)) · 5000 / 120
    assert "GeoScore 2,978 of 5,000 n = 120" in text
    assert "Unreadable images 4 3.3 % of 120, counted as wrong" in text


def test_a_full_run_shows_what_it_was_made_of(open_page, written):
    written.add_run(name="b32-lora-3")
    text = text_of(open_page(written.path))
    for part in (
        "Run b32-lora-3 · test · 120 images · hierarchical",
        "Model outputs/training/best_model.pt",
        "Candidates data/candidates.json",
        "A photo in {country}.",
        "Seed 42",
        "Precision bf16",
        "torch 2.13.0",
        "Output folder outputs/evaluation",
    ):
        assert part in text


def test_the_curve_marks_the_five_thresholds_and_has_a_text_and_a_table(open_page, written):
    written.add_run()
    page = open_page(written.path)
    spec = page.get("vega_lite_chart")[0].proto
    assert words_of(spec) == (
        "Share of images by distance from the true place: 0.0 % within 1.0 km, 37.5 % within "
        "25 km, 37.5 % within 200 km, 58.3 % within 750 km, 58.3 % within 2,500 km."
    )
    table = page.dataframe[0].value
    assert table["threshold_km"].tolist() == [1, 25, 200, 750, 2500]
    assert table["value"].round(1).tolist() == [0.0, 37.5, 37.5, 58.3, 58.3]
    assert table["ceiling"].tolist() == [0, 100, 100, 100, 100]
    assert table["n"].tolist() == [120] * 5


def test_bars_by_continent_start_at_zero_and_are_the_worst_first(open_page, written):
    written.add_run()
    page = open_page(written.path)
    bars = layers_of(chart(page, 1), "bar")[0]
    assert bars["encoding"]["x"]["scale"]["domain"] == [0, 100]
    assert bars["encoding"]["y"]["sort"] is None  # the order of the rows
    table = page.dataframe[1].value
    assert table["continent"].tolist() == ["Oceania", "Asia", "Europe"]
    assert table["country"].tolist() == [25, 50, 75]
    assert table["n"].tolist() == [20, 40, 60]


def test_few_images_are_drawn_pale_and_said_to_be(open_page, written):
    written.add_run()
    page = open_page(written.path)
    opacity = layers_of(chart(page, 1), "bar")[0]["encoding"]["opacity"]
    assert "datum.n < 30" in json.dumps(opacity)
    assert "fewer than 30 images" in text_of(page)


def test_a_partial_run_shows_the_figures_so_far_and_says_so(open_page, written):
    written.add_run(num_done=80, state="interrupted")
    page = open_page(written.path)
    text = text_of(page)
    assert not page.exception
    assert "interrupted, partial, 80 of 120" in text
    # The first 80: France whole (45 right, 30 cities), Japan's first 20 (20 right, 10 cities).
    assert "81.2 % 71.3–88.3 n = 80 · ceiling 100.0 % · macro 87.5 %" in text
    assert "50.0 % 39.3–60.7 n = 80" in text
    assert "61.5 % 49.4–72.4 n = 65" in text
    # 40 of 80 at 5 km, the next ones at 300 km.
    assert "Median distance 152 km 5.0–300 n = 80" in text


def test_totals_of_all_images_give_the_figures_of_the_metrics(open_page, written):
    full = text_of(open_page(written.path, run=str(written.add_run())))
    open_run = text_of(open_page(written.path, run=str(written.add_run(state="interrupted"))))
    for figure in (
        "58.3 % 49.4–66.8 n = 120 · ceiling 100.0 % · macro 50.0 %",
        "37.5 % 29.4–46.4 n = 120 · ceiling 91.7 % · macro 33.3 %",
        "64.3 % 52.6–74.5 n = 70 · ceiling 100.0 % · macro 72.2 %",
        "GeoScore 2,978 of 5,000 n = 120",
        "Unreadable images 4 3.3 %",
    ):
        assert figure in full
        assert figure in open_run


def test_a_running_run_shows_how_far_it_is(open_page, written):
    written.add_run(num_done=30, state="running")
    page = open_page(written.path)
    assert not page.exception
    assert page.get("progress")[0].proto.value == 25
    assert "running, partial, 30 of 120" in text_of(page)


def test_a_run_without_a_prediction_yet_says_so(open_page, written):
    written.add_run(num_done=0, state="running")
    page = open_page(written.path)
    assert not page.exception
    assert "No predictions yet" in text_of(page)


def test_a_failed_run_shows_why(open_page, written):
    written.add_run(num_done=10, state="failed", error="the disk is full")
    text = text_of(open_page(written.path))
    assert "This run failed the disk is full" in text
    assert "failed, partial, 10 of 120" in text


def test_what_a_job_writes_is_seen_at_the_next_rerun(open_page, written):
    run_id = written.add_run(num_done=40, state="running")
    page = open_page(written.path)
    written.add_predictions(run_id, 40, 70)
    assert "n = 70" in text_of(page.run())


def test_drawn_images_are_labelled_and_photographs_are_not(open_page, written):
    written.add_run(dataset_name="demo", drawn=True)
    assert "Synthetic demo data" in text_of(open_page(written.path))
    written.add_run(dataset_name="photos")
    assert "Synthetic demo data" not in text_of(open_page(written.path))


def test_without_a_parameter_the_newest_run_is_shown_and_named_in_the_url(open_page, written):
    written.add_run(name="older")
    newest = written.add_run(name="newer")
    page = open_page(written.path)
    assert "Run newer" in text_of(page)
    assert page.query_params["run"] == str(newest)


def test_the_url_chooses_the_run(open_page, written):
    older = written.add_run(name="older")
    written.add_run(name="newer")
    page = open_page(written.path, run=str(older))
    assert "Run older" in text_of(page)
    assert "No such run" not in text_of(page)


def test_picking_a_run_shows_it_and_names_it_in_the_url(open_page, written):
    older = written.add_run(name="older")
    written.add_run(name="newer")
    page = open_page(written.path)
    page.selectbox(key="run_picker").select(older).run()
    assert page.query_params["run"] == str(older)
    assert "Run older" in text_of(page)


@pytest.mark.parametrize(
    "wanted",
    ["abc", "", "999999", "9" * 400, "<img src=x> ![a](https://x.example)"],
)
def test_a_bad_link_is_explained_and_the_newest_run_shown(open_page, written, wanted):
    written.add_run(name="older")
    newest = written.add_run(name="newer")
    page = open_page(written.path, run=wanted)
    assert not page.exception
    assert f"Run {newest} is shown instead" in text_of(page)
    assert "Run newer" in text_of(page)
    assert "img" not in Elements(markup_of(page)).names


def test_a_link_that_names_two_runs_shows_the_first_and_says_so(open_page, written):
    older = written.add_run(name="older")
    newer = written.add_run(name="newer")
    page = open_page(written.path, run=[str(older), str(newer)])
    assert not page.exception
    assert "names 2 runs" in text_of(page)
    assert "Run older" in text_of(page)


HOSTILE = [
    "![a](https://evil.example/y.png)",
    "<img src=x onerror=alert(1)>",
    "</bdi></p><script>alert(1)</script>",
    "[click](https://evil.example) **bold** $x^2$ :material/delete: :red[red]",
    "long " * 5000,
    "\u202emoc.elpmaxe\u202c \x00\x1b[31m two\nlines",
    "مرحبا بالعالم",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_texts_from_files_are_never_interpreted(open_page, written, text):
    written.add_run(
        name=text,
        dataset_name=text,
        state="failed",
        error=text,
        num_done=20,
        model_source=text,
        candidates_path=text,
        strategy=text,
        output_dir=text,
        prompts={text: [text]},
        versions={text: text},
        commit=text,
        config={"precision": text},
    )
    page = open_page(written.path)
    assert not page.exception
    elements = Elements(markup_of(page))
    assert elements.names <= {"bdi", "dd", "div", "dl", "dt", "p", "small", "span", "strong"}
    interpreted = [each.value for each in (*page.markdown, *page.caption, *page.title)]
    interpreted += [each.proto.text for each in page.get("progress")]
    assert not any(text[:12] in each for each in interpreted)
    assert len(markup_of(page)) < 20_000


def test_db_without_a_path_is_explained(open_page, written, monkeypatch):
    page = open_page(written.path)
    monkeypatch.setattr(sys, "argv", ["Home.py", "--db"])
    assert "--db is given without a path" in text_of(page.run())
