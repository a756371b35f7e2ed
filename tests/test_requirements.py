"""The lock, the bill of materials and the pins name the same packages."""

import importlib.metadata
import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s\\]+)", re.MULTILINE)


def pins(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    return {normalised(package): version for package, version in _PIN.findall(text)}


def normalised(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def test_the_lock_holds_every_pin_and_what_each_requires():
    locked, pinned = pins("requirements.lock"), pins("requirements.txt")
    assert len(pinned) > 15
    assert {name: locked[name].removesuffix("+cpu") for name in pinned} == pinned
    needed, missing = list(locked), set()
    for name in needed:
        for text in importlib.metadata.requires(name) or ():
            requirement = re.split(r"[\s;<>=!~\[(]", text)[0]
            if (
                "extra ==" not in text
                and is_for_linux(text)
                and normalised(requirement) not in locked
            ):
                missing.add((name, text))
    assert missing == set()


def is_for_linux(requirement):
    """Whether an environment marker leaves the requirement on Linux and this Python."""
    from packaging.requirements import Requirement

    marker = Requirement(requirement).marker
    return marker is None or marker.evaluate({"sys_platform": "linux", "extra": ""})


def test_every_package_of_the_lock_has_its_hashes():
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    entries = re.split(r"(?m)^(?=[A-Za-z0-9])", text.partition("\n\n")[2])
    entries = [entry for entry in entries if entry.strip()]
    assert len(entries) == len(pins("requirements.lock"))
    assert [entry for entry in entries if not re.search(r"--hash=sha256:[0-9a-f]{64}", entry)] == []


def test_the_bill_of_materials_lists_what_is_locked():
    parts = json.loads((ROOT / "sbom.cdx.json").read_text(encoding="utf-8"))["components"]
    listed = {normalised(part["name"]): part["version"] for part in parts}
    tools = {"pip", "setuptools", "streetclip"}
    assert {k: v for k, v in listed.items() if k not in tools} == {
        k: v for k, v in pins("requirements.lock").items() if k not in tools
    }
