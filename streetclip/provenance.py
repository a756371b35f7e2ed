"""What made a result: versions of the packages, commit of the code."""

import platform
import subprocess
from importlib import metadata
from pathlib import Path

from streetclip import __version__

_PACKAGES = ("torch", "transformers", "pillow", "numpy")


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that a result depends on."""
    own = {"python": platform.python_version(), "streetclip": __version__}
    return own | {name: metadata.version(name) for name in _PACKAGES}


def commit() -> str | None:
    """Commit of the checkout that the code runs from, with `+` when it is changed; None outside."""
    revision = _git("rev-parse", "HEAD")
    if revision is None:
        return None
    changed = _git("status", "--porcelain", "--untracked-files=no")
    return revision + ("+" if changed else "")


def _git(*arguments: str) -> str | None:
    folder = Path(__file__).parent
    try:
        done = subprocess.run(  # noqa: S603 -- fixed arguments
            ["git", "-C", str(folder), *arguments],  # noqa: S607 -- git of the user's PATH
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
