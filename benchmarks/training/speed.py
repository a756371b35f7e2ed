"""Images per second of our training, against transformers' `Trainer`."""

import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.training.apart import run_apart
from benchmarks.training.figures import markdown
from benchmarks.training.report import machine, save
from benchmarks.training.workload import Workload, lay_out, write_manifests

# What is promised: our images/s by those of the Trainer, at its best number of workers.
LEAST_RATIO = {"loop": 1.0, "decode": 1.5}
_ABOUT = {"loop": "loop alone, images in memory", "decode": "with image decoding"}


class Way(NamedTuple):
    """One of the things that are timed."""

    mode: str
    name: str
    function: str
    arguments: dict[str, Any]


def trainer(options: Any) -> bool:
    """Images per second of one run, ours and those of transformers' Trainer, in turn."""
    with tempfile.TemporaryDirectory(prefix="streetclip-speed-", dir=options.folder) as temporary:
        workload = Workload(
            Path(temporary),
            device=options.device,
            precision=options.precision,
            batch_size=options.batch_size,
            skipped=options.skipped,
            timed=options.steps,
        )
        lay_out(
            workload,
            image_dir=options.image_dir,
            synthetic=options.synthetic,
            shape=options.shape,
        )
        num_captions = write_manifests(workload, options.num_places)
        results = _measured(workload, _ways(options), options.rounds)
        flops = _run(workload, "transformers_ways:flops", {})["flops_per_image"]
    kept = _report(options, workload, results, flops, num_captions)
    save(options, {"flops_per_image": flops, "num_captions": num_captions, "results": results})
    return kept


def _ways(options: Any) -> list[Way]:
    settings = {"exact_preprocessing": options.exact_preprocessing}
    ours = {"num_workers": options.num_workers, "settings": settings}
    ways = []
    for mode in options.modes:
        in_memory = {"in_memory": mode == "loop"}
        ways.append(Way(mode, "ours", "ours:train", ours | in_memory))
        for workers in [0] if mode == "loop" else options.trainer_workers:
            arguments = in_memory | {"num_workers": workers}
            name = f"Trainer, {workers} workers" if mode == "decode" else "Trainer"
            ways.append(Way(mode, name, "transformers_ways:trainer", arguments))
    return ways


def _measured(workload: Workload, ways: Sequence[Way], rounds: int) -> list[dict[str, Any]]:
    results = []
    for number, way in _in_turn(ways, rounds):
        result = _run(workload, way.function, way.arguments)
        results.append({"round": number, "mode": way.mode, "name": way.name, **result})
        print(f"{number}. {_ABOUT[way.mode]}, {way.name}: {result['images_per_s']:.1f} images/s",
              file=sys.stderr, flush=True)  # fmt: skip
    return results


def _in_turn(ways: Sequence[Way], rounds: int) -> Iterator[tuple[int, Way]]:
    """Each way once a round, there and back again: what slows the machine down hits all alike."""
    for number in range(1, rounds + 1):
        for way in ways if number % 2 else reversed(ways):
            yield number, way


def _run(workload: Workload, function: str, arguments: dict[str, Any]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(dir=workload.folder) as work:
        return run_apart(function, workload=workload.to_dict(), work=work, **arguments)


def _report(
    options: Any,
    workload: Workload,
    results: list[dict[str, Any]],
    flops: float,
    num_captions: int,
) -> bool:
    precision = results[0]["precision"]
    print(
        f"\n{options.shape}, {precision}, batch {workload.batch_size}, {num_captions} distinct "
        f"captions of {workload.num_images} images; median of {options.rounds} × "
        f"{workload.timed} steps ({machine(options.device)})\n"
    )
    head = ["", "images/s", "lowest–highest", "against", "lowest–highest", "peak GiB"]
    if options.peak_tflops:
        head.append(f"of {options.peak_tflops:g} TFLOP/s")
    rows, kept = [], True
    for mode in options.modes:
        speeds = speeds_by_name([each for each in results if each["mode"] == mode])
        best = best_of_others(speeds)
        for name, values in speeds.items():
            ratios = [ours / theirs for ours, theirs in zip(values, speeds[best], strict=True)]
            ratio = statistics.median(values) / statistics.median(speeds[best])
            row = [f"{_ABOUT[mode]}: {name}", f"{statistics.median(values):.1f}", _range(values)]
            row += [f"{ratio:.2f}×", _range(ratios, 2), _peak(results, mode, name)]
            if options.peak_tflops:
                tflops = statistics.median(values) * flops / 1e12
                row.append(f"{tflops / options.peak_tflops:.1%}")
            rows.append(row)
            kept &= name != "ours" or ratio >= LEAST_RATIO[mode]
    print(markdown(head, rows))
    print(f"\n'against': the Trainer at its best; to be at least {LEAST_RATIO}.")
    return kept


def speeds_by_name(results: Sequence[dict[str, Any]]) -> dict[str, list[float]]:
    """Images per second by way, each way's in the order of the rounds."""
    speeds: dict[str, list[float]] = {}
    for each in sorted(results, key=lambda result: result["round"]):
        speeds.setdefault(each["name"], []).append(each["images_per_s"])
    return dict(sorted(speeds.items(), key=lambda item: (item[0] != "ours", item[0])))


def best_of_others(speeds: dict[str, list[float]]) -> str:
    """The fastest way that is not ours, by its median."""
    others = {name: values for name, values in speeds.items() if name != "ours"}
    return max(others, key=lambda name: statistics.median(others[name]))


def _range(values: Sequence[float], digits: int = 1) -> str:
    return f"{min(values):.{digits}f}–{max(values):.{digits}f}"


def _peak(results: list[dict[str, Any]], mode: str, name: str) -> str:
    mine = [each for each in results if (each["mode"], each["name"]) == (mode, name)]
    peaks = [each.get("device_peak_bytes", each["peak_bytes"]) for each in mine]
    return f"{statistics.median(peaks) / 2**30:.2f}"
