"""Texts that anybody may write: they come back as they were, or are refused in words."""

from pathlib import Path

import pytest

from streetclip.errors import ConfigError, OutputError
from streetclip.runtime import JobProgress, JobSpec, beat_job, end_job, enqueue_job, requeue_job

HOSTILE = [
    'it\'s "quoted"; rm -rf ~; $(reboot) `x` | cat > /dev/null &',
    "two\nlines\r\nand\ttabs",
    "--flag=--other",
    "",
    " ",
    "Île-de-France 東京 👩‍🚀 \u202eright to left\u2028",
    "'); DROP TABLE jobs; --",
    "%s {0} \\n \\u0000",
]


def test_hostile_texts_come_back_as_they_were(queue):
    name = " ".join(HOSTILE)
    parameters = dict.fromkeys(HOSTILE, HOSTILE)
    folder = queue.folder / "a 'folder';\nof \"many\" 東京"
    folder.mkdir()
    spec = queue.spec(name=name, arguments=(*HOSTILE,), parameters=parameters, cwd=folder)
    job_id = enqueue_job(queue.store, spec)
    ticket = queue.claim()
    assert (ticket.arguments, ticket.cwd) == ((*HOSTILE,), folder)
    assert end_job(queue.store, job_id, 1, "failed", error=name, outputs=HOSTILE)
    job = queue.get(job_id)
    assert (job["name"], job["error"], job["outputs"]) == (name, name, HOSTILE)
    assert (job["arguments"], job["parameters"]) == (HOSTILE, parameters)
    assert job["output_dir"] == str(folder / "outputs")
    requeue_job(queue.store, job_id, HOSTILE[::-1])
    assert queue.claim().arguments == (*HOSTILE[::-1],)


def test_a_file_name_that_is_no_unicode_comes_back_as_it_was(queue):
    broken = b"caf\xe9.csv".decode("utf-8", "surrogateescape")
    job_id = queue.start(arguments=(broken,), parameters={"test_csv": broken}, name=broken)
    progress = JobProgress(broken, "row", 1, 2, None, {broken: 1.0})
    assert beat_job(queue.store, job_id, 1, progress).is_ours
    assert end_job(queue.store, job_id, 1, "failed", error=broken, outputs=[broken])
    job = queue.get(job_id)
    assert (job["arguments"], job["parameters"]) == ([broken], {"test_csv": broken})
    assert (job["outputs"], job["numbers"]) == ([broken], {broken: 1.0})
    assert job["error"] == job["name"] == job["task"] == "caf\\udce9.csv"


@pytest.mark.parametrize("changes", [{"output_dir": Path("caf\udce9")}, {"cwd": Path("a\0b")}])
def test_a_folder_that_the_store_cannot_keep_is_refused(queue, changes):
    with pytest.raises(OutputError, match=r"(udce9|x00).*not Unicode, or holds a NUL.*another"):
        queue.register(**changes)


def test_what_no_process_can_be_started_with_is_refused(queue):
    with pytest.raises(ConfigError, match=r"argument '--name=a\\x00b' holds a NUL"):
        queue.spec(arguments=("--name=a\0b",))
    with pytest.raises(ValueError, match=r"kind is '\.\./evil'"):
        queue.spec(kind="../evil")
    job_id = queue.bring("failed")
    with pytest.raises(ConfigError, match="holds a NUL"):
        requeue_job(queue.store, job_id, ["\0"])
    assert queue.state(job_id) == "failed"


def test_a_working_folder_is_kept_absolute(queue, monkeypatch):
    monkeypatch.chdir(queue.folder)
    spec = JobSpec(
        kind="train", arguments=(), parameters={}, output_dir=Path("out"), cwd=Path("deep/..")
    )
    job = queue.get(enqueue_job(queue.store, spec))
    assert (job["cwd"], job["output_dir"]) == (str(queue.folder), str(queue.folder / "out"))
