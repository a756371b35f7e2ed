"""Record what made a result: versions of the packages, commit of the code."""

import platform
import subprocess
from importlib import metadata
from pathlib import Path

from streetclip import __version__

_PACKAGES = ("torch", "transformers", "pillow", "numpy")


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that a result depends on."""
    own = {"python": platform.python_version(), "streetclip": __version__}
    return own | {name: metadata.version(name) for name in _PACKAGES}


def commit() -> str | None:
    """Return the commit of the checkout, with `+` when it is changed; None outside of one."""
    revision = _git("rev-parse", "HEAD")
    changed = revision and _git("status", "--porcelain", "--untracked-files=no")
    return revision and revision + ("+" if changed else "")


def _git(*arguments: str) -> str | None:
    command = ["git", "-C", str(Path(__file__).parent), *arguments]
    try:
        done = subprocess.run(  # noqa: S603 -- fixed arguments
            command, capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
