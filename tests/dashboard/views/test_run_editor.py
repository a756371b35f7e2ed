"""A run is renamed, described, archived and deleted from its page, by those who may."""

import json

import pytest

from dashboard.shell import formats, rights
from streetclip.store import (
    annotate,
    archive_run,
    delete_run,
    get_run,
    list_runs,
    open_store,
    read_annotations,
    read_predictions,
)
from tests.dashboard.pages import NBSP, Elements, open_page_of, text_of
from tests.dashboard.worlds import HOSTILE

NAMES = (
    "**bold** [x](http://x.example)",
    "<img src=x onerror=alert(1)>",
    "🦘🇳🇿",
    "n" * 500,
    HOSTILE,
)


def read(written, run_id):
    with open_store(written.path) as store:
        return get_run(store, run_id)


def field(page, name):
    return next(each for each in (*page.text_input, *page.text_area) if each.key.startswith(name))


def save(page, **texts):
    for name, text in texts.items():
        field(page, f"run_{name}_").set_value(text)
    return page.button(key="run_save").click().run()


def dialog_of(page):
    """Everything that is drawn as HTML, the dialog included."""
    found = (word for each in page.get("html") for word in Elements(each.proto.body).text)
    return " ".join(found)


def keys(page):
    return {each.key for each in page.button}


@pytest.mark.parametrize("name", NAMES)
def test_any_name_is_kept_and_drawn_as_text(open_page, written, name):
    run_id = written.add_run()
    name = " ".join(name.split())
    page = save(open_page(written.path), name=name, description=f"{name}\n# 1", dataset=name)
    assert not page.exception
    run = read(written, run_id)
    assert (run["name"], run["description"], run["dataset"]) == (name, f"{name}\n# 1", name)
    assert field(page, "run_name_").value == name
    assert text_of(page).count("# 1") == 2  # under the run's name, and in its details
    (label,) = page.selectbox(key="run_picker").options
    assert label.startswith(f"{run_id} · ")
    assert "![" not in "".join(each.value for each in page.markdown)


@pytest.mark.parametrize(
    ("texts", "why"),
    [
        ({"name": "n" * 501}, "the name of a run has 501 characters; expected at most 500."),
        ({"name": " "}, "the name of a run is blank"),
        ({"dataset": "a\tb"}, "the name of a dataset, 'a\\tb', has a control character"),
        ({"description": "d" * 10_001}, "a description has 10,001 characters"),
    ],
)
def test_a_text_that_is_not_allowed_is_explained_at_the_button(open_page, written, texts, why):
    run_id = written.add_run()
    page = save(open_page(written.path), **texts)
    assert why in text_of(page)
    assert (read(written, run_id)["name"], read(written, run_id)["dataset"]) == ("first", "test")


def test_the_chooser_shows_accuracy_dataset_and_date(open_page, written):
    run_id = written.add_run(name="deep", dataset_name="rainy")
    partial = written.add_run(name="half", num_done=60, state="interrupted")
    page = open_page(written.path)
    today = read(written, run_id)["created_at"][:10]
    options = [formats.plain(each) for each in page.selectbox(key="run_picker").options]
    assert [each.replace(NBSP, " ") for each in options] == [
        f"{partial} · half · test · {today} · interrupted, partial, 60 of 120",
        f"{run_id} · deep · 58.3 % · rainy · {today}",
    ]


def test_an_archived_run_is_hidden_unless_asked_for(open_page, written):
    old, new = written.add_run(name="old"), written.add_run(name="new")
    page = open_page(written.path, run=str(new)).button(key="run_archive").click().run()
    assert read(written, new)["archived_at"] is not None
    assert len(page.selectbox(key="run_picker").options) == 2  # it is shown
    page = open_page(written.path)
    assert page.query_params["run"] == str(old)
    assert [each[:1] for each in page.selectbox(key="run_picker").options] == [str(old)]
    assert page.selectbox(key="baseline_picker").options == []
    page = page.checkbox(key="own_archived").check().run()
    assert page.query_params["archived"] == "all"
    assert len(page.selectbox(key="run_picker").options) == 2
    page = open_page(written.path, run=str(new)).button(key="run_archive").click().run()
    assert read(written, new)["archived_at"] is None
    assert "own_archived" not in {each.key for each in page.checkbox}


def write_files(folder, run):
    folder.mkdir(parents=True)
    written = {"run_id": run["id"], "strategy": run["strategy"]} | run["metrics"]
    (folder / "metrics.json").write_text(json.dumps(written))
    (folder / "predictions.csv").write_text("x")


def delete(page):
    page = page.button(key="run_delete").click().run()
    return page.button(key="run_delete_now").click().run()


def test_deleting_asks_says_what_stays_and_removes_the_run_with_its_files(
    open_page, written, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    old, new = written.add_run(name="old"), written.add_run(name="new", output_dir="outputs/e")
    write_files(tmp_path / "outputs" / "e", read(written, new))
    (tmp_path / "outputs" / "e" / "notes.txt").write_text("mine")
    with open_store(written.path) as store:
        image_id = int(read_predictions(store, new)["image_id"].iloc[0])
        annotate(store, [image_id], note="a tram")
    page = open_page(written.path).button(key="run_delete").click().run()
    asked = dialog_of(page)
    assert "outputs/e/metrics.json" in asked
    assert "The images and their annotations" in asked
    page = page.button(key="run_keep").click().run()
    assert read(written, new)["name"] == "new"
    page = delete(page)
    assert not page.exception
    assert "Run deleted" in text_of(page)
    assert "Run old" in text_of(page)
    assert page.query_params["run"] == str(old)
    assert [each.name for each in (tmp_path / "outputs" / "e").iterdir()] == ["notes.txt"]
    with open_store(written.path) as store:
        assert list_runs(store)["id"].tolist() == [old]
        assert read_annotations(store, [image_id])["note"].tolist() == ["a tram"]


def test_a_folder_outside_the_allowed_ones_stays(open_page, written, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    elsewhere = tmp_path.parent / f"{tmp_path.name}-elsewhere"
    run_id = written.add_run(output_dir=str(elsewhere))
    write_files(elsewhere, read(written, run_id))
    page = open_page(written.path).button(key="run_delete").click().run()
    assert "lies outside the allowed folders and stays as it is" in dialog_of(page)
    page.button(key="run_delete_now").click().run()
    assert (elsewhere / "metrics.json").exists()
    with open_store(written.path) as store:
        assert list_runs(store).empty


def test_a_run_that_a_job_writes_is_not_deleted(open_page, written):
    run_id = written.add_run(num_done=60, state="running")
    page = delete(open_page(written.path))
    assert f"run {run_id} is still written. Cancel its job, or wait for it." in text_of(page)
    assert read(written, run_id)["num_done"] == 60


def test_a_run_deleted_while_someone_looks_at_it_gives_one_line(open_page, written):
    old, new = written.add_run(name="old"), written.add_run(name="new")
    page = open_page(written.path)
    with open_store(written.path) as store:
        delete_run(store, new, get_run(store, new)["uid"])
    page = page.run()
    assert not page.exception
    line = f"asks for run {new}, which this store does not hold (any more). Run {old} is shown"
    assert text_of(page).count(line) == 1
    later = written.add_run(name="later")
    assert later == new + 1  # a kept link never shows another run
    page = open_page(written.path, run=str(new))
    assert "does not hold (any more)" in text_of(page)


def test_saving_a_run_that_was_deleted_says_so(open_page, written):
    old, new = written.add_run(name="old"), written.add_run(name="new")
    page = open_page(written.path)
    with open_store(written.path) as store:
        delete_run(store, new, get_run(store, new)["uid"])
    page = save(page, name="changed")
    assert not page.exception
    assert f"run {new} was deleted. Choose another in the sidebar." in text_of(page)
    assert read(written, old)["name"] == "old"


@pytest.mark.parametrize(
    ("right", "expected"),
    [
        (rights.Right.LOOK, set()),
        (rights.Right.ANNOTATE, {"run_save"}),
        (rights.Right.RUN_JOBS, {"run_save", "run_archive", "run_delete"}),
    ],
)
def test_each_right_has_its_buttons(open_page, written, monkeypatch, right, expected):
    written.add_run()
    monkeypatch.setattr(rights, "right_of_visitor", lambda: right)
    page = open_page(written.path)
    assert {each for each in keys(page) if each and each.startswith("run_")} == expected


def test_a_read_only_store_offers_no_change(open_page, written, monkeypatch):
    written.add_run()
    monkeypatch.setattr(rights, "is_store_read_only", lambda: True)
    page = open_page(written.path)
    assert not {each for each in keys(page) if each and each.startswith("run_")}


def test_an_archived_run_is_no_rival_to_compare_with(monkeypatch, written):
    rival, other = written.add_run(name="rival"), written.add_run(name="other")
    with open_store(written.path) as store:
        archive_run(store, rival, get_run(store, rival)["uid"], is_archived=True)
    page = open_page_of(monkeypatch)(written.path, "compare", run=str(other))
    assert "Nothing to compare with" in text_of(page)
