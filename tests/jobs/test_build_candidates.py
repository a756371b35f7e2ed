from pathlib import Path

from jobs import build_candidates
from streetclip.config import DEFAULT_CANDIDATES
from streetclip.data.candidates import load_candidates

ROOT = Path(__file__).parents[2]


def run(*flags):
    return build_candidates.main([*map(str, flags)])


def test_the_shipped_file_is_what_the_job_writes(tmp_path, capsys):
    path = tmp_path / "c.json"
    assert run("--output_file", path) == 0
    assert path.read_bytes() == (ROOT / DEFAULT_CANDIDATES).read_bytes()
    assert "241 countries, 4367 cities" in capsys.readouterr().out


def test_flags_choose_countries_and_cities(tmp_path):
    path = tmp_path / "c.json"
    flags = ("--countries", "Holland", "usa", "--cities_per_country", 4)
    assert run("--output_file", path, *flags) == 0
    candidates = load_candidates(path)
    assert candidates.country_codes == ("NL", "US")
    assert candidates.city_offsets.tolist() == [0, 4, 8]


def test_a_file_that_exists_is_kept(tmp_path, capsys):
    path = tmp_path / "c.json"
    path.write_text("mine")
    assert run("--output_file", path, "--countries", "FR") == 2
    assert path.read_text() == "mine"
    error = capsys.readouterr().err
    assert "exists already" in error
    assert error.count("\n") == 1
    assert run("--output_file", path, "--countries", "FR", "--overwrite") == 0
    assert "Paris" in path.read_text()


def test_an_unknown_country_is_the_users_mistake(tmp_path, capsys):
    assert run("--output_file", tmp_path / "c.json", "--countries", "Frnace") == 2
    assert "Did you mean France" in capsys.readouterr().err
    assert not (tmp_path / "c.json").exists()
