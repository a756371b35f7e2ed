"""Show the progress of a job as a bar on stderr, and in its record."""

import io
import sys
from typing import TYPE_CHECKING, Any

from streetclip.progress import is_rate_settled

if TYPE_CHECKING:
    from streetclip.runtime import JobProgress

_SECONDS_BETWEEN_DRAWINGS = 0.2
_SECONDS_BETWEEN_LINES = 10.0  # in a file, where each drawing is a line
_WITHOUT_ESTIMATE = "{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}{postfix}]"


class ProgressBar:
    """A tqdm bar that is a `streetclip.progress.Progress`."""

    def __init__(self, description: str, unit: str, *, visible: bool, passing: bool) -> None:
        self._description, self._unit = description, unit
        self._visible, self._passing = visible, passing
        self._bar: Any = None
        self._num_batches = 0
        self._numbers: dict[str, float] = {}

    def __call__(self, done: int, total: int, **numbers: float) -> None:
        """Move the bar to `done` of `total`, and show the numbers with it."""
        if self._bar is None:
            from tqdm import tqdm

            is_file = self._visible and not sys.stderr.isatty()
            self._bar = tqdm(
                total=total,
                initial=done,
                desc=self._description,
                unit=self._unit,
                mininterval=_SECONDS_BETWEEN_LINES if is_file else _SECONDS_BETWEEN_DRAWINGS,
                dynamic_ncols=True,
                leave=not self._passing,
                file=sys.stderr if self._visible else _Nowhere(),
                bar_format=_WITHOUT_ESTIMATE,
            )
        self._bar.total = total
        self._num_batches += done > self._bar.n
        if self._is_settled() or done == total:
            self._bar.bar_format = None  # tqdm's own, with rate and time left
        if numbers:
            self._numbers = numbers
            shown = {name: f"{value:.4g}" for name, value in numbers.items()}
            self._bar.set_postfix(shown, refresh=False)
        self._bar.update(done - self._bar.n)

    def read(self) -> "JobProgress | None":
        """Return the bar's numbers, from any thread; None before its first call."""
        from streetclip.runtime import JobProgress

        if self._bar is None:
            return None
        drawn = self._bar.format_dict
        rate = None
        if self._is_settled():
            rate = drawn["rate"] or (drawn["n"] - drawn["initial"]) / drawn["elapsed"]
        return JobProgress(
            task=self._description,
            unit=self._unit,
            done=drawn["n"],
            total=drawn["total"],
            rate=rate or None,
            numbers=self._numbers,
        )

    def _is_settled(self) -> bool:
        return is_rate_settled(self._num_batches, self._bar.format_dict["elapsed"])

    def close(self) -> None:
        """Draw the bar a last time."""
        if self._bar is not None:
            self._bar.close()


class _Nowhere(io.TextIOBase):
    """Drop what is written."""

    def write(self, text: str) -> int:
        return len(text)
