"""The report: equal figures, hostile texts, every state of a run."""

import html.parser
import re

import pytest

from dashboard.charts import metric_cards
from dashboard.queries import report as overview
from dashboard.queries import run_queries
from dashboard.shell import formats
from streetclip.errors import ConfigError, StoreError
from streetclip.reports.chosen import Chosen
from streetclip.reports.report import report_html
from streetclip.results import parse_gate
from tests.dashboard.plain import wilson
from tests.dashboard.twins import write_sql
from tests.dashboard.worlds import HOSTILE, NUM_BROKEN, NUM_MISSING, World


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    return World(folder, num_images=200, text=HOSTILE).with_two_runs()


class Reader(html.parser.HTMLParser):
    """The elements of a page with their attributes, and its text, spaces made plain."""

    def __init__(self, markup):
        super().__init__()
        self.elements, self.parts = [], []
        self.feed(markup)
        self.text = " ".join(" ".join(self.parts).replace("\u00a0", " ").split())

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.parts.append(data)


def report_of(world, run="2", **options):
    return Reader(report_html(Chosen.open(world.path, run, **options)))


def test_figures_are_those_of_the_overview(world):
    chosen = Chosen.open(world.path, "2", filters="continent=Europe", baseline="1")
    view = run_queries.make_view(world.path, 2, 1, chosen.selection, chosen.selection)
    page, against = overview.report(view), overview.against(view)
    text = report_of(world, filters="continent=Europe", baseline="1").text
    for name in ("country", "city", "hierarchical"):
        each, delta = getattr(page, name), getattr(against, name)
        row = " ".join(
            (
                formats.share(each.value),
                formats.interval(each.low, each.high),
                formats.count(each.n),
                formats.share(each.ceiling),
                formats.share(each.macro),
                f"{formats.points(delta.value)} pp",
                formats.points_interval(delta.low, delta.high),
            )
        )
        assert row.replace("\u00a0", " ") in text
    for each in page.thresholds.itertuples():
        row = f"{formats.share(each.value)} {formats.interval(each.low, each.high)}"
        assert row.replace("\u00a0", " ") in text
    median = page.distance.median_km
    interval = metric_cards.median_interval(median)
    row = f"Median {formats.kilometres(median.value)} ({interval} km)"
    assert row.replace("\u00a0", " ") in text
    assert f"GeoScore {formats.count(page.distance.geoscore)} of 5,000" in text
    assert overview.document(view).count("<section") > 5


def test_countries_confusions_and_calibration_are_what_sql_counts(world):
    text = report_of(world, filters="not_country=FR").text
    where = "WHERE run_id = 2 AND true_country != 'FR'"
    table = f"FROM predictions {where}"
    for code, n, correct in world.sql(
        f"SELECT true_country, count(*), sum(country_correct) {table} GROUP BY 1"
    ):
        low, high = wilson(correct, n)
        share = formats.share(correct / n).replace("\u00a0", " ")
        assert f"{formats.country(code)} {share} {formats.interval(low, high)} {n}" in text
    true, predicted, n = world.sql(
        f"SELECT true_country, pred_country, count(*) {table} AND country_correct = 0 "
        "AND pred_country IS NOT NULL GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT 1"
    )[0]
    assert f"{formats.country(true)} {formats.country(predicted)} {n} " in text
    ((confidence, num_sure),) = world.sql(
        f"SELECT avg(country_probability), count(country_probability) {table}"
    )
    share = formats.share(confidence).replace("\u00a0", " ")
    assert f"Mean confidence {share} , country accuracy " in text
    assert f"· n = {num_sure} " in text
    assert "not France" in text


def test_hostile_texts_stay_texts_and_nothing_is_asked(world):
    report = report_of(world, filters="country_is=wrong", baseline="1")
    assert "script" not in {tag for tag, _ in report.elements}
    for tag, attributes in report.elements:
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        address = attributes.get("src", attributes.get("href"))
        assert address is None or (tag == "img" and address.startswith("data:image/jpeg;base64,"))
    (policy,) = [a["content"] for _, a in report.elements if a.get("http-equiv")]
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'sha256-")
    assert '<img src="https://evil.example/z.png" onerror=alert(1)>' in report.text
    assert "\u202e" not in report.text
    assert "these images are chosen by the outcome" in report.text.lower()


def test_the_worst_images_are_shown_or_named_as_unreadable(world):
    report = report_of(world)
    pictures = [a["src"] for tag, a in report.elements if tag == "img"]
    assert len(pictures) == 2 * 12
    broken = report_of(world, filters="predicted=none")
    assert broken.text.count("The image cannot be read.") == 2 * (NUM_BROKEN + NUM_MISSING)
    assert broken.text.count("→ no prediction") == 2 * (NUM_BROKEN + NUM_MISSING)


def test_provenance_has_hashes_and_no_folder_of_this_machine(world):
    write_sql(world.path, "UPDATE runs SET candidates_path = '/home/me/places.json' WHERE id = 1")
    content = report_html(Chosen.open(world.path, "1"))
    text = Reader(content).text
    ((dataset,),) = world.sql("SELECT content_sha256 FROM datasets")
    assert f"rows) {dataset} " in text
    assert "Weights (SHA-256) abc" in text
    assert "Candidates places.json Candidates (SHA-256) def" in text
    assert str(world.image_dir.parent) not in content
    assert "/home/me" not in content


@pytest.mark.parametrize(
    ("filters", "words"),
    [
        ("country=VA", "No image matches the filters."),
        ("country=NZ&country_is=right", "No country is confused with another."),
        ("predicted=none", "No image has a confidence."),
    ],
)
def test_what_is_not_there_is_named(world, filters, words):
    assert words in report_of(world, filters=filters, baseline="1").text


def test_an_unfinished_run_is_named_as_such(tmp_path):
    world = World(tmp_path, num_images=80, with_files=False)
    world.add_run(num_done=64, state="interrupted")
    frame = re.escape("This run is interrupted: 64 of 80 images have a prediction so far.")
    assert re.search(frame, report_of(world, "1").text)


def test_runs_are_found_by_number_then_by_name_the_newest_first(world):
    name = f"newer{HOSTILE}"
    assert Chosen.open(world.path, name).run["id"] == 2
    world.add_run("newer", skill=0.5, seed=3)
    assert Chosen.open(world.path, name).run["id"] == 3
    with pytest.raises(StoreError, match="has no run 'x'; expected the name or number of one, the"):
        Chosen.open(world.path, "x")


def test_a_gate_names_images_by_attribute_or_filter(world):
    chosen = Chosen.open(world.path, "2")

    def count(images):
        return chosen.check(parse_gate(f"{images}:country_accuracy>=0")).n

    def rows(condition):
        query = "SELECT count(*) FROM dataset_images WHERE country_code = 'FR'"
        return world.sql(query.replace("country_code = 'FR'", condition))[0][0]

    weather = f"rain{HOSTILE}"
    expected = rows("attributes ->> 'weather' LIKE 'rain%'")
    assert count(f"weather={weather}") == count(weather) == expected > 0
    assert count("camera=phone") == count("phone") == rows("attributes ->> 'camera' = 'phone'")
    assert count("country=FR&not_attr=camera%3Dphone") == rows(
        "country_code = 'FR' AND attributes ->> 'camera' != 'phone'"
    )
    with pytest.raises(ConfigError, match="'fog' is no value of an attribute of the dataset; exp"):
        count("fog")
    with pytest.raises(ConfigError, match="'contry' is no filter"):
        count("contry=FR")
    only_europe = Chosen.open(world.path, "2", filters="continent=Europe")
    assert only_europe.check(parse_gate("country=JP:country_accuracy>=0")).verdict == "failed"
