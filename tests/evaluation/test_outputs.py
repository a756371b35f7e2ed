import pytest

from streetclip.errors import OutputError
from streetclip.evaluation.outputs import claim_folder, strategy_folder, write_config
from streetclip.files import write_json

DECISIVE = {"model": "abc", "top_k": 5}


def test_a_free_folder_is_claimed(tmp_path):
    claim_folder(tmp_path / "new", DECISIVE, resume=False)
    claim_folder(tmp_path, DECISIVE, resume=True)


def test_another_evaluation_is_refused_with_what_differs(tmp_path):
    write_config(tmp_path, {"decisive": DECISIVE})
    for resume in (False, True):
        with pytest.raises(OutputError, match=r"another evaluation \(it differs in model\)"):
            claim_folder(tmp_path, DECISIVE | {"model": "xyz"}, resume=resume)


def test_the_same_evaluation_goes_on_only_when_asked(tmp_path):
    write_config(tmp_path, {"decisive": DECISIVE})
    with pytest.raises(OutputError, match=r"an unfinished evaluation .* --resume"):
        claim_folder(tmp_path, DECISIVE, resume=False)
    write_json(tmp_path / "metrics.json", {})
    with pytest.raises(OutputError, match=r"a finished evaluation .* --resume"):
        claim_folder(tmp_path, DECISIVE, resume=False)
    claim_folder(tmp_path, DECISIVE, resume=True)


def test_what_a_killed_evaluation_left_half_written_goes(tmp_path):
    write_config(tmp_path, {"decisive": DECISIVE})
    for folder in (tmp_path, tmp_path / "flat"):
        half = folder / ".streetclip-abcdefgh.tmp" / "new" / "predictions.csv"
        half.parent.mkdir(parents=True)
        half.write_text("image_filename,cou")
    claim_folder(tmp_path, DECISIVE, resume=True)
    assert sorted(tmp_path.rglob("*")) == [tmp_path / "config.json", tmp_path / "flat"]


def test_a_config_that_is_no_json_is_named(tmp_path):
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(OutputError, match=r"config\.json: is not JSON"):
        claim_folder(tmp_path, DECISIVE, resume=True)


def test_only_the_first_strategy_takes_the_folder_itself(tmp_path):
    strategies = ("flat", "marginal")
    assert strategy_folder(tmp_path, strategies, "flat") == tmp_path
    assert strategy_folder(tmp_path, strategies, "marginal") == tmp_path / "marginal"
