"""Peak memory of a large effective batch, in portions and at once."""

import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from benchmarks.training.apart import OutOfMemoryHereError, run_apart
from benchmarks.training.figures import markdown, on_the_line
from benchmarks.training.report import machine, save
from benchmarks.training.workload import Workload, lay_out, write_manifests

MOST_SHARE = 0.25
"""What is promised: the peak in portions by that of the plain batch."""

_OURS, _PLAIN = "ours:train", "transformers_ways:plain_loop"
_NAMES = {_OURS: "ours", _PLAIN: "plain transformers loop"}
_SIDE_PX = 64  # of the files: only the size after preprocessing counts
_USABLE = 0.9  # of the free memory


class Peak(NamedTuple):
    """The most memory that a training held."""

    function: str
    batch_size: int
    accumulation: int
    num_bytes: float
    is_measured: bool


def memory(options: Any) -> bool:
    """Peak memory of an effective batch, in portions against at once."""
    with tempfile.TemporaryDirectory(prefix="streetclip-memory-", dir=options.folder) as temporary:
        largest = _workload(options, Path(temporary), options.effective_batch, 1)
        lay_out(largest, image_dir=None, synthetic=_SIDE_PX, shape=options.shape)
        plain = {f: _plain_peaks(options, largest.folder, f) for f in (_OURS, _PLAIN)}
        portions = [
            _peak(options, largest.folder, _OURS, size, options.effective_batch // size)
            for size in options.portions
        ]
    ends = {function: peaks[-1] for function, peaks in plain.items()}
    rows = [row for peaks in (*plain.values(), portions) for row in _rows(peaks, ends)]
    print(f"\n{options.shape}, {options.precision} ({machine(options.device)})\n")
    head = ["", "images at once × passes", "peak GiB"]
    head += [f"of {_NAMES[function]} at once" for function in ends]
    print(markdown(head, rows))
    if not all(each.is_measured for each in ends.values()):
        print("\n*: does not fit here; on the line through the smaller batches.")
    save(options, {"peaks": [each._asdict() for p in (*plain.values(), portions) for each in p]})
    return all(
        each.num_bytes <= MOST_SHARE * end.num_bytes for each in portions for end in ends.values()
    )


def _plain_peaks(options: Any, folder: Path, function: str) -> list[Peak]:
    """Smaller plain batches, then the effective batch, measured if it fits."""
    sizes = sorted({*options.plain, options.effective_batch})
    peaks: list[Peak] = []
    for size in sizes:
        found = {each.batch_size: each.num_bytes for each in peaks}
        if len(found) > 1 and on_the_line(found, size) > _free_bytes(options.device):
            break
        try:
            peaks.append(_peak(options, folder, function, size, 1))
        except OutOfMemoryHereError:
            break
    if not peaks or peaks[-1].batch_size != options.effective_batch:
        peaks.append(_extrapolated(peaks, function, options.effective_batch))
    return peaks


def _extrapolated(peaks: list[Peak], function: str, size: int) -> Peak:
    if len(peaks) < 2:
        msg = f"only {len(peaks)} plain batches fit; name smaller ones with --plain"
        raise SystemExit(msg)
    points = {each.batch_size: each.num_bytes for each in peaks}
    return Peak(function, size, 1, on_the_line(points, size), is_measured=False)


def _free_bytes(device: str) -> float:
    """What a training on the CPU may take; a GPU says so itself when it is full."""
    if device == "cpu":
        return _USABLE * psutil.virtual_memory().available
    return float("inf")


def _peak(options: Any, folder: Path, function: str, batch_size: int, accumulation: int) -> Peak:
    workload = _workload(options, folder, batch_size, accumulation)
    write_manifests(workload, options.num_places)
    arguments = {"in_memory": False, "num_workers": 0} if function == _OURS else {}
    with tempfile.TemporaryDirectory(dir=folder) as work:
        found = run_apart(function, workload=workload.to_dict(), work=work, **arguments)
    num_bytes = found.get("device_peak_bytes", found["peak_bytes"])
    print(f"{_NAMES[function]}, {batch_size} × {accumulation}: {num_bytes / 2**30:.2f} GiB",
          file=sys.stderr, flush=True)  # fmt: skip
    return Peak(function, batch_size, accumulation, num_bytes, is_measured=True)


def _workload(options: Any, folder: Path, batch_size: int, accumulation: int) -> Workload:
    """Two steps: the second holds AdamW's moments from the first, and activations."""
    return Workload(
        folder,
        device=options.device,
        precision=options.precision,
        batch_size=batch_size,
        accumulation=accumulation,
        skipped=1,
        timed=1,
        trailing=0,
    )


def _rows(peaks: list[Peak], ends: dict[str, Peak]) -> list[list[str]]:
    size = next(iter(ends.values())).batch_size
    rows = []
    for each in peaks:
        mark = "" if each.is_measured else "*"
        row = [_NAMES[each.function], f"{each.batch_size} × {each.accumulation}"]
        row.append(f"{each.num_bytes / 2**30:.2f}{mark}")
        is_whole = each.batch_size * each.accumulation == size
        for end in ends.values():
            share = f"{each.num_bytes / end.num_bytes:.1%}" if is_whole else ""
            row.append(share + ("*" if share and not end.is_measured else ""))
        rows.append(row)
    return rows
