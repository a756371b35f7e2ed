import csv

import pandas as pd
import pytest

from streetclip.data.csv_formulas import restore
from streetclip.errors import OutputError
from streetclip.evaluation.run_output import claim_folder, write_predictions
from streetclip.files import write_json

DECISIVE = {"model": "abc", "top_k": 5}


def test_a_free_folder_is_claimed(tmp_path):
    claim_folder(tmp_path / "new", DECISIVE, resume=False)
    claim_folder(tmp_path, DECISIVE, resume=True)


def test_another_evaluation_is_refused_with_what_differs(tmp_path):
    write_json(tmp_path / "config.json", {"decisive": DECISIVE})
    for resume in (False, True):
        with pytest.raises(OutputError, match=r"another evaluation \(it differs in model\)"):
            claim_folder(tmp_path, DECISIVE | {"model": "xyz"}, resume=resume)


def test_the_same_evaluation_goes_on_only_when_asked(tmp_path):
    write_json(tmp_path / "config.json", {"decisive": DECISIVE})
    with pytest.raises(OutputError, match=r"an unfinished evaluation .* --resume"):
        claim_folder(tmp_path, DECISIVE, resume=False)
    write_json(tmp_path / "metrics.json", {})
    with pytest.raises(OutputError, match=r"a finished evaluation .* --resume"):
        claim_folder(tmp_path, DECISIVE, resume=False)
    claim_folder(tmp_path, DECISIVE, resume=True)


def test_what_a_killed_evaluation_left_half_written_goes(tmp_path):
    write_json(tmp_path / "config.json", {"decisive": DECISIVE})
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


AWKWARD = {
    "line": (2, 3, 4, 5, None),
    'a "name", of\na column': ("plain", 'says "hi"', "one, two", None, ""),
    "text": (None, "Łódź", "two\nlines", " blank ", "'"),
    "number": (0.1, None, -0.0, 1e-05, 12345678.123456789),
    "nothing": (None,) * 5,
}


@pytest.mark.parametrize("sizes", [(5,), (1, 3, 1), (4, 0, 1)])
def test_predictions_are_written_as_pandas_would(tmp_path, sizes):
    chunks, start = [], 0
    for size in sizes:
        chunks.append({name: values[start : start + size] for name, values in AWKWARD.items()})
        start += size
    write_predictions(tmp_path, chunks)
    frame = pd.DataFrame(AWKWARD).astype({"line": "Int64"})
    expected = frame.to_csv(index=False, lineterminator="\n")
    assert (tmp_path / "predictions.csv").read_bytes().decode() == expected


def test_predictions_hold_no_text_that_a_spreadsheet_runs(tmp_path):
    texts = ("=1+1", "+cmd", "-2+3", "@SUM(A1)", "\tx", "\rx", "'=1+1", "-3.5", "plain", None)
    numbers = tuple(range(-5, 5))
    write_predictions(tmp_path, [{"=text": texts, "number": numbers}])
    with (tmp_path / "predictions.csv").open(newline="", encoding="utf-8") as file:
        (header, *rows) = csv.reader(file)
    assert header == ["'=text", "number"]
    assert [int(number) for _, number in rows] == list(numbers)
    written = [text for text, _ in rows]
    assert written == [f"'{text}" for text in texts[:7]] + ["-3.5", "plain", ""]
    assert [restore(text) for text in written] == [*texts[:-1], ""]
