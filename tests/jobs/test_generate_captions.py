import csv
import errno
import subprocess
import sys
from pathlib import Path

import pytest

from jobs.generate_captions import main
from streetclip.data import caption_files

HEADER = "image_filename,city,region,country,continent\n"


@pytest.fixture
def inputs(tmp_path):
    paths = {}
    for split, country in (("train", "France"), ("val", "Italy"), ("test", "Spain")):
        paths[split] = tmp_path / f"{split}.csv"
        paths[split].write_text(
            HEADER + f"{split}1.jpg,A,,{country},\n{split}2.jpg,B,,{country},\n"
        )
    return paths


def flags(inputs, out, *more):
    named = [f"--{split}_csv={path}" for split, path in inputs.items()]
    return [*named, f"--output_dir={out}", *more]


def contents(out):
    return {path.name: path.read_bytes() for path in out.iterdir()} if out.exists() else {}


def test_a_file_is_written_for_each_split_and_told_on_stdout(inputs, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(flags(inputs, out)) == 0
    assert sorted(contents(out)) == ["test_captions.csv", "train_captions.csv", "val_captions.csv"]
    with (out / "val_captions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["image_filename"] for row in rows] == ["val1.jpg", "val2.jpg"]
    assert rows[0]["caption"] == "A Street View photo close to the town of A in Italy."
    stdout = capsys.readouterr().out
    assert f"{out / 'val_captions.csv'}: 2 captions\n" in stdout
    assert stdout.count("A Street View photo") == 6


def test_one_split_is_enough(inputs, tmp_path):
    assert main([f"--val_csv={inputs['val']}", f"--output_dir={tmp_path / 'out'}"]) == 0
    assert sorted(contents(tmp_path / "out")) == ["val_captions.csv"]


def test_a_rerun_refuses_and_changes_nothing(inputs, tmp_path, capsys):
    out = tmp_path / "out"
    main(flags(inputs, out))
    before = contents(out)
    assert main(flags(inputs, out, "--seed=7", "--templates", "paper")) == 2
    assert contents(out) == before
    assert "--overwrite" in capsys.readouterr().err


def test_a_rerun_replaces_when_asked(inputs, tmp_path):
    out = tmp_path / "out"
    main(flags(inputs, out))
    assert main(flags(inputs, out, "--overwrite", "--templates", "paper")) == 0
    assert b"A Street View photo in Italy.,paper" in contents(out)["val_captions.csv"]


def test_the_output_may_be_the_input_of_a_rerun(inputs, tmp_path):
    out = tmp_path / "out"
    main(flags(inputs, out))
    before = contents(out)
    again = {split: out / f"{split}_captions.csv" for split in inputs}
    assert main(flags(again, out, "--overwrite")) == 0
    assert contents(out) == before


def test_all_bad_files_are_told_and_nothing_is_left(inputs, tmp_path, capsys):
    inputs["val"].write_text(HEADER + "a.jpg,,,Nowhere,\n")
    inputs["test"].write_text("a,b\n")
    out = tmp_path / "out"
    assert main(flags(inputs, out)) == 2
    assert contents(out) == {}
    stderr = capsys.readouterr().err
    assert "val.csv:2: country 'Nowhere' is unknown" in stderr
    assert "test.csv:1: required columns" in stderr


def test_bad_rows_are_skipped_and_counted_when_asked(inputs, tmp_path, capsys):
    with inputs["val"].open("a") as file:
        file.write("../x.jpg,,,Italy,\n")
    assert main(flags(inputs, tmp_path / "out", "--on_bad_rows=skip")) == 0
    streams = capsys.readouterr()
    assert "val_captions.csv: 2 captions, 1 bad row skipped" in streams.out
    assert "skipped" in streams.err
    assert "val.csv:4" in streams.err


def test_a_full_disk_leaves_nothing_half_written(inputs, tmp_path, capsys, monkeypatch):
    out = tmp_path / "out"
    main(flags(inputs, out))
    before = contents(out)

    def fill(*_args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(caption_files, "estimate_tokens", fill)
    assert main(flags(inputs, out, "--overwrite")) == 1
    assert contents(out) == before
    assert "the disk is full" in capsys.readouterr().err


def test_what_a_killed_job_left_half_written_goes(inputs, tmp_path):
    half = tmp_path / "out" / ".streetclip-abcdefgh.tmp" / "new" / "train_captions.csv"
    half.parent.mkdir(parents=True)
    half.write_text("image_filename,ci")
    assert main(flags(inputs, tmp_path / "out")) == 0
    assert sorted(contents(tmp_path / "out")) == [
        "test_captions.csv", "train_captions.csv", "val_captions.csv"
    ]  # fmt: skip


def test_equal_captions_are_warned_about(inputs, tmp_path, capsys):
    assert main(flags(inputs, tmp_path / "out", "--templates", "paper")) == 0
    assert "all captions are equal" in capsys.readouterr().err


def test_an_unknown_template_is_told(inputs, tmp_path, capsys):
    assert main(flags(inputs, tmp_path / "out", "--templates", "fulll")) == 2
    assert "'fulll' is unknown" in capsys.readouterr().err


def test_help_does_not_import_what_is_slow():
    script = (
        "import sys; from jobs.generate_captions import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print({'torch', 'pandas', 'numpy', 'PIL'} & set(sys.modules))"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=root
    )
    assert done.stdout.endswith("set()\n")


def test_captions_name_the_country_where_the_manifest_has_a_code(tmp_path):
    rows = "a.jpg,Lyon,,FR,\nb.jpg,Lyon,,fra,\nc.jpg,Reno,,US,\nd.jpg,Reno,,USA,\n"
    rows += "e.jpg,Nuuk,,Greenland (Kingdom of Denmark),\nf.jpg,Bonn,,Deutschland,\n"
    (tmp_path / "test.csv").write_text(HEADER + rows)
    assert main([f"--test_csv={tmp_path / 'test.csv'}", f"--output_dir={tmp_path / 'out'}"]) == 0
    with (tmp_path / "out" / "test_captions.csv").open(newline="") as file:
        made = list(csv.DictReader(file))
    assert [row["caption"].split(" in ")[-1] for row in made] == [
        "France.", "France.", "the United States.", "the USA.", "Greenland.", "Deutschland.",
    ]  # fmt: skip
    assert [row["country"] for row in made[:2]] == ["FR", "fra"]


def test_doubtful_labels_are_warned_of_and_stay_out_of_captions(tmp_path, capsys):
    (tmp_path / "test.csv").write_text(HEADER + "a.jpg,nan,None,France,Asia\nb.jpg,,,Italy,\n")
    assert main([f"--test_csv={tmp_path / 'test.csv'}", f"--output_dir={tmp_path / 'out'}"]) == 0
    streams = capsys.readouterr()
    assert "A Street View photo in France." in streams.out
    assert f"WARNING {tmp_path / 'test.csv'}:2: city 'nan', region 'None' are" in streams.err
    assert f"WARNING {tmp_path / 'test.csv'}:2: continent is 'Asia', but France" in streams.err


def test_captions_that_are_probably_too_long_are_told_of(inputs, tmp_path, capsys):
    name = "กรุงเทพมหานคร" * 4
    inputs["val"].write_text(HEADER + f"b.jpg,{name},,Thailand,\n", encoding="utf-8")
    assert main(flags(inputs, tmp_path / "out")) == 0
    [line] = [each for each in capsys.readouterr().err.splitlines() if "77 tokens" in each]
    assert "val_captions.csv: 1 of 1 captions are probably longer" in line
    assert "'b.jpg'" in line
