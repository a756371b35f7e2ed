"""The shim itself: what a program sees that writes while a fault is set."""

import textwrap

import pytest

from tests.crash.system_calls import IS_POSSIBLE, Fault, run

pytestmark = pytest.mark.skipif(not IS_POSSIBLE, reason="seccomp needs Linux on x86-64")

# Its writes: mkdir, open, write, write, rename; a child makes the last two.
_PROGRAM = """
    import os, sys
    os.chdir(sys.argv[1])
    os.mkdir("d")
    file = os.open("d/a", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(file, b"12345678")
    if not os.fork():
        try:
            os.write(file, b"abcdefgh")
            os.rename("d/a", "b")
        except OSError as error:
            print(error.strerror, file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.wait()[1])
    open("../elsewhere", "w").close()
    raise SystemExit(code)
"""
NAMES = ["mkdir", "openat", "write", "write", "rename"]


@pytest.fixture
def run_program(tmp_path):
    folder, program = tmp_path / "folder", tmp_path / "program.py"
    folder.mkdir()
    program.write_text(textwrap.dedent(_PROGRAM))

    def run_it(*fault):
        outcome = run([str(program), str(folder)], folder, Fault(*fault) if fault else None)
        files = {
            str(p.relative_to(folder)): p.read_text() for p in folder.rglob("*") if p.is_file()
        }
        return outcome, files

    return run_it


def test_every_write_below_the_folder_is_seen_in_order_also_a_childs(run_program):
    outcome, files = run_program()
    assert outcome.code == 0
    assert [call.name for call in outcome.calls] == NAMES
    assert [call.num_bytes for call in outcome.calls] == [0, 0, 8, 8, 0]
    assert [path.name for path in outcome.calls[-1].paths] == ["a", "b"]
    assert files == {"b": "12345678abcdefgh"}


@pytest.mark.parametrize(
    ("mode", "at", "left"),
    [
        ("kill", 2, {}),
        ("kill", 3, {"d/a": ""}),
        ("kill", 5, {"d/a": "12345678abcdefgh"}),
        ("short", 3, {"d/a": "1234"}),
        ("short", 4, {"d/a": "12345678abcd"}),
        ("short", 5, {"d/a": "12345678abcdefgh"}),
    ],
)
def test_all_processes_are_killed_before_a_write_or_in_the_middle_of_it(
    run_program, tmp_path, mode, at, left
):
    outcome, files = run_program(mode, at)
    assert outcome.code == -9
    assert files == left
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(
    ("mode", "error"), [("full", "No space left on device"), ("failing", "Input/output error")]
)
def test_a_write_that_is_refused_changes_nothing_and_says_why(run_program, mode, error):
    outcome, files = run_program(mode, 4)
    assert outcome.code == 1
    assert outcome.errors == f"{error}\n"
    assert files == {"d/a": "12345678"}


def test_a_full_disk_stays_full_and_a_failing_one_recovers(tmp_path):
    (tmp_path / "thrice.py").write_text(
        "import os, sys\nos.chdir(sys.argv[1])\n"
        "for name in 'abc':\n    try:\n        open(name, 'w').close()\n"
        "    except OSError:\n        print('refused', name, file=sys.stderr)\n"
    )
    folder = tmp_path / "folder"
    folder.mkdir()
    command = [str(tmp_path / "thrice.py"), str(folder)]
    assert run(command, folder, Fault("failing", 2)).errors == "refused b\n"
    assert run(command, folder, Fault("full", 2)).errors == "refused b\nrefused c\n"
