"""The report and its gates as a command."""

import json

import pytest

from jobs import report
from tests.dashboard.worlds import World


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return World(tmp_path_factory.mktemp("report"), num_images=150).with_two_runs()


@pytest.fixture
def make(world):
    return lambda *flags: report.main([f"--db={world.path}", *flags])


def test_a_report_and_its_gates_are_written(make, world, tmp_path, capsys):
    page, measured = tmp_path / "out" / "report.html", tmp_path / "gates.json"
    gates = ["country_accuracy>=0.3", "phone:country_accuracy>=0.2", "city_accuracy>=baseline-0.02"]
    flags = ["--run=newer", "--baseline=older", f"--output={page}", f"--json={measured}"]
    before = world.path.read_bytes()
    assert make(*flags, "--filter=not_country=AU", "--gate", *gates) == 0
    out = capsys.readouterr().out
    lines = [line.split() for line in out.splitlines()[1:4]]
    assert [line[0] for line in lines] == gates
    assert [line[-1] for line in lines] == ["passed"] * 3
    found = json.loads(measured.read_text())
    assert (found["run"], found["baseline"], found["passed"]) == (2, 1, True)
    assert [each["gate"] for each in found["gates"]] == gates
    ((n, correct),) = world.sql(
        "SELECT count(*), sum(country_correct) FROM predictions "
        "WHERE run_id = 2 AND true_country != 'AU'"
    )
    assert (found["gates"][0]["n"], found["gates"][0]["value"]) == (n, correct / n)
    assert found["gates"][2]["baseline"] < found["gates"][2]["value"]
    content = page.read_text()
    assert content.startswith("<!DOCTYPE html>")
    assert "<h2>Gates</h2>" in content
    assert len(content) < 5e6
    assert world.path.read_bytes() == before  # no record of the job
    assert make(*flags, "--gate", *gates) == 2
    assert "exist already; expected new files" in capsys.readouterr().err


def test_a_failed_gate_ends_with_1_after_everything_is_written(make, tmp_path, capsys):
    page, measured = tmp_path / "report.html", tmp_path / "gates.json"
    flags = ["--run=older", "--baseline=newer", f"--output={page}", f"--json={measured}"]
    gates = ["country_accuracy>=baseline-0.02", "country_accuracy>=0.1"]
    assert make(*flags, "--gate", *gates) == 1
    out, err = capsys.readouterr()
    assert out.splitlines()[1].endswith("failed")
    assert err.endswith(f": error: 1 of 2 gates failed: {gates[0]}.\n")
    found = json.loads(measured.read_text())
    assert not found["passed"]
    assert found["gates"][0]["high"] < -0.02
    assert page.exists()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--run=9", "--output=a.html"], "has no run '9'; expected the name or number of one, the"),
        ([f"--run={'9' * 5000}", "--output=a.html"], "expected the name or number of one, the"),
        (["--run=1"], "neither --output nor --gate is given"),
        (["--run=1", "--output=tests", "--overwrite"], "tests: cannot be written (Is a directory)"),
        (
            ["--run=1", "--gate=geoscore>=1", "--output=a", "--json=b/../a"],
            "a: is named for two outputs; expected a file for each",
        ),
        (["--run=1", "--output=a.html", "--json=b.json"], "--json is given without --gate"),
        (["--run=1", "--gate=accuracy>=0.6"], "bounds 'accuracy'; expected one of country_accur"),
        (["--run=1", "--gate=country_accuracy>=baseline"], "give one with --baseline"),
        (["--run=1", "--gate=fog:country_accuracy>=0.6"], "'fog' is no value of an attribute"),
        (
            ["--run=1", "--output=a.html", "--filter=km=far"],
            "choose by km 'far'; expected two ends",
        ),
    ],
)
def test_mistakes_are_one_clear_line(make, capsys, flags, words):
    assert make(*flags) == 2
    err = capsys.readouterr().err
    assert words in err
    assert len(err.splitlines()) == 1
