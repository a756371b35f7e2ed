"""A hub id offline: from the cache of huggingface_hub, or one clear line."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from streetclip.errors import ModelError, ResourceError
from streetclip.hub_ids import is_hub_id
from streetclip.models.loading import load_encoder

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def _fill_cache(cache: Path, model_folder: Path) -> Path:
    """Lay a model out as huggingface_hub does: `refs/main` names a snapshot."""
    repository = cache / "models--someone--tiny-clip"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(COMMIT)
    return Path(shutil.copytree(model_folder, repository / "snapshots" / COMMIT))


IN_NEW_PROCESS = """
import sys, time
from streetclip.errors import StreetClipError
from streetclip.models.loading import load_encoder

for source in sys.argv[1:]:
    start = time.monotonic()
    try:
        result = load_encoder(source, device="cpu").sha256
    except StreetClipError as error:
        result = f"{type(error).__name__} {error}"
    print(f"{time.monotonic() - start:.2f} {result}")
"""


@pytest.mark.slow
def test_without_a_network_the_cache_serves_and_else_one_line_says_so(
    clip_folder, encoder, tmp_path
):
    """As a job would: in a new process, as the hub's variables are read once."""
    _fill_cache(tmp_path / "hub", clip_folder)
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "TRANSFORMERS_"))}
    # Nothing listens on port 9 of this machine, so that no name server can answer slowly.
    offline = {"HF_HOME": str(tmp_path), "HF_ENDPOINT": "http://127.0.0.1:9"}
    done = subprocess.run(
        [sys.executable, "-c", IN_NEW_PROCESS, "someone/tiny-clip", "someone/else"],
        env=clean | offline,
        capture_output=True,
        text=True,
        check=True,
    )
    (_, cached), (seconds, refused) = (line.split(" ", 1) for line in done.stdout.splitlines())
    assert cached == encoder.sha256
    assert refused.startswith("ResourceError someone/else: is no folder or file here")
    assert "cannot be reached" in refused
    assert "give its folder" in refused
    assert "Retry" not in done.stderr
    assert float(seconds) < 10


def test_a_cached_model_loads_in_this_process(clip_folder, encoder, tmp_path, monkeypatch):
    _fill_cache(tmp_path, clip_folder)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    loaded = load_encoder("someone/tiny-clip", device="cpu")
    assert (loaded.source, loaded.sha256) == ("someone/tiny-clip", encoder.sha256)


@pytest.mark.parametrize("removed", ["model.safetensors", "preprocessor_config.json"])
def test_a_cached_model_in_part_needs_the_network(removed, clip_folder, tmp_path, monkeypatch):
    snapshot = _fill_cache(tmp_path, clip_folder)
    (snapshot / removed).unlink()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    start = time.monotonic()
    with pytest.raises(ResourceError, match="HF_HUB_OFFLINE is set"):
        load_encoder("someone/tiny-clip")
    assert time.monotonic() - start < 5


def test_a_folder_that_is_not_there_is_not_taken_for_a_hub_id(tmp_path):
    with pytest.raises(ModelError, match="no such file or folder"):
        load_encoder(str(tmp_path / "someone" / "tiny-clip"))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("geolocal/StreetCLIP", True),
        ("openai/clip-vit-large-patch14-336", True),
        ("gpt2", True),
        ("outputs/training/best_model", False),
        ("outputs/best_model.pt", False),
        ("../model", False),
        ("a/..", False),
        ("./model", False),
        ("~/model", False),
        ("", False),
        ("a/b\n", False),
    ],
)
def test_what_could_be_a_hub_id(source, expected):
    assert is_hub_id(source) is expected


def test_only_needed_files_are_downloaded_and_never_code():
    from streetclip.models.hub import _wanted

    names = [
        "README.md",
        "notes.md",
        "config.json",
        "evil.py",
        "flax_model.msgpack",
        "tokenizer.json",
    ]
    both = [*names, "model.safetensors", "pytorch_model.bin", "onnx/model.safetensors"]
    small = ["README.md", "config.json", "tokenizer.json"]
    assert _wanted(both) == [*small, "model.safetensors"]
    shards = ["pytorch_model-00001-of-00002.bin", "pytorch_model.bin.index.json"]
    assert _wanted([*names, *shards]) == [*small, *shards]


def test_of_an_open_clip_repository_its_own_weights_are_wanted():
    from streetclip.models.hub import _wanted

    names = ["README.md", "open_clip_config.json", "open_clip_model.safetensors", "merges.txt"]
    names += ["open_clip_pytorch_model.bin", "tokenizer.json", "code.py", "vocab.json"]
    assert set(_wanted(names)) == {
        "README.md",
        "open_clip_config.json",
        "open_clip_model.safetensors",
        "merges.txt",
        "tokenizer.json",
        "vocab.json",
    }
    both = [*names, "config.json", "model.safetensors"]
    assert [name for name in _wanted(both) if name.endswith("safetensors")] == ["model.safetensors"]
    assert "open_clip_config.json" not in _wanted(both)
