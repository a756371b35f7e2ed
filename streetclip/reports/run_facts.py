"""List what a run was made of."""

import json
from collections.abc import Mapping
from typing import Any

from streetclip.results import formats


def state_text(run: Mapping[Any, Any]) -> str:
    """Describe a run's state, with its progress unless it is done.

    Examples:
        >>> state_text({"state": "interrupted", "num_done": 400, "num_images": 1200})
        'interrupted, partial, 400 of 1,200'
    """
    done, total = int(run["num_done"]), int(run["num_images"])
    if run["state"] == "done":
        return "done" if done == total else f"done, {formats.progress(done, total)}"
    return f"{run['state']}, partial, {formats.progress(done, total)}"


def run_facts(run: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """List the terms and untrusted values of `store.get_run`: texts, lists of lines, or None."""
    config, versions = run["config"] or {}, sorted((run["versions"] or {}).items())
    return [
        ("Run", f"{run['id']} · {run['name']}"),
        ("Description", run["description"].splitlines()),
        ("State", state_text(run)),
        ("Model", run["model_source"]),
        ("Weights (SHA-256)", run["model_sha256"]),
        ("Dataset", f"{run['dataset']} · {run['csv_path'] or formats.NONE}"),
        ("Dataset (hash of its rows)", run["dataset_content"]),
        ("Skipped rows", formats.count(run["num_skipped"])),
        ("Candidates", run["candidates_path"]),
        ("Candidates (SHA-256)", run["candidates_sha256"]),
        ("Prompts", _prompts(run["prompts"] or {})),
        ("Strategy", run["strategy"]),
        ("Seed", run["seed"]),
        ("Precision", config.get("precision_used", config.get("precision"))),
        ("Started", formats.moment(run["created_at"])),
        ("Last written", formats.moment(run["updated_at"])),
        ("Versions", " · ".join(f"{name} {each}" for name, each in versions)),
        ("Commit", run["commit_sha"]),
        ("Output folder", run["output_dir"]),
    ]


def _prompts(prompts: Mapping[str, Any]) -> list[str]:
    return [
        f"{key}: {each if isinstance(each, str) else json.dumps(each, ensure_ascii=False)}"
        for key, each in prompts.items()
    ]
