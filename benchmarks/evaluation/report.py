"""The report of a benchmark: one dict for JSON, and the same as tables of text."""

import os
import platform
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.evaluation import figures
from benchmarks.evaluation.figures import Figure, Results
from benchmarks.evaluation.setup import Setup
from jobs.support.metrics_table import aligned, interval, percent
from streetclip import provenance
from streetclip.config import BenchmarkConfig

if TYPE_CHECKING:
    import torch

    from streetclip.models.precision import Precision

_STATED = "images/s: from the first image opened to the last row stored; loading and prompts apart"


def machine_facts(device: "torch.device", precision: "Precision") -> dict[str, Any]:
    """Where it was measured.

    Args:
        device: Where models compute.
        precision: That of `--precision`.
    """
    import torch

    facts: dict[str, Any] = {
        "cpu": _cpu_name(),
        "cores": _cores(),
        "torch_threads": torch.get_num_threads(),
        "cpu_capabilities": sorted(
            n for n, has in torch.cpu.get_capabilities().items() if has is True
        ),
        "system": platform.platform(),
        "versions": provenance.versions(),
        "commit": provenance.commit(),
        "device": device.type,
        "precision": precision.reason,
    }
    if device.type == "cuda":
        facts["gpu"] = torch.cuda.get_device_name(device)
    return facts


def build_report(
    config: BenchmarkConfig, setup: Setup, machine: dict[str, Any], measured: Results
) -> dict[str, Any]:
    """Everything that is to be said.

    Args:
        config: What was asked for.
        setup: What was measured with.
        machine: Of `machine_facts`.
        measured: What the processes gave: `default_P` and `exact_P` (evaluations), `forward_P` for
            each precision P, the first one being that of `--precision`, `decode_default`,
            `decode_exact`, `cache`, `plain_loop` and perhaps `pipeline`.
    """
    results = figures.with_parts(measured)
    precisions = [n.removeprefix("forward_") for n in results if n.startswith("forward_")]
    first = precisions[0]
    texts = {p: figures.texts_figure(results, (f"default_{p}", f"exact_{p}")) for p in precisions}
    files = [p.stat().st_size for p in setup.paths()[: setup.num_distinct] if p.exists()]
    report: dict[str, Any] = {
        "machine": machine,
        "settings": config.to_dict(),
        "images": {
            "num_images": setup.num_images,
            "num_distinct": setup.num_distinct,
            "num_unreadable": results[f"default_{first}"][0]["num_unreadable"],
            "mean_file_kb": sum(files) / len(files) / 1e3,
            "labelled": config.test_csv is not None,
        },
        "precisions": precisions,
        "stated": _STATED,
        "measurements": {n: figures.measurement_figures(r) for n, r in results.items()},
        "texts": texts,
        "ratios": _ratios(results, precisions),
        "roofs": _roofs(results, precisions, shared=machine["device"] == "cpu"),
        "computing": {
            p: figures.computing(results, f"default_{p}", f"forward_{p}", config.peak_tflops)
            for p in precisions
        },
        "estimate": figures.estimate(
            results, f"default_{first}", texts[first]["seconds"]["value"], config.estimate
        ),
    }
    if config.model_shape == "own":  # random weights tell nothing by what they predict
        report["agreement"] = _agreements(results, precisions)
        if config.test_csv is not None:
            names = [f"{kind}_{p}" for p in precisions for kind in ("default", "exact")]
            report["accuracy"] = {name: figures.accuracy(results, name) for name in names}
    return report


def tables(report: dict[str, Any]) -> str:
    """Lay the report out as text."""
    parts = [_head(report), _rates(report), _ratio_table(report), _roof_table(report)]
    parts += [_sameness(report), _remarks(report)]
    return "\n\n".join(part for part in parts if part)


def _ratios(results: Results, precisions: Sequence[str]) -> list[Figure]:
    first = precisions[0]
    pairs = [(f"default_{p}", "plain_loop") for p in precisions]
    pairs += [(f"exact_{p}", "plain_loop") for p in precisions]
    pairs += [(f"default_{first}", "pipeline")] if "pipeline" in results else []
    pairs += [("second", "first")]
    pairs += [(f"default_{p}", f"exact_{p}") for p in precisions]
    pairs += [(f"default_{p}", f"forward_{p}") for p in precisions]
    return [figures.ratio(results, *pair) for pair in pairs]


def _roofs(results: Results, precisions: Sequence[str], *, shared: bool) -> list[dict[str, Any]]:
    return [
        figures.roof(
            results, f"{kind}_{p}", (f"decode_{kind}", f"forward_{p}", "write"), shared=shared
        )
        for p in precisions
        for kind in ("default", "exact")
    ]


def _agreements(results: Results, precisions: Sequence[str]) -> list[dict[str, Any]]:
    """Of every way with the reference: exact preprocessing in float32."""
    reference = f"exact_{precisions[-1]}"
    ways = [f"{kind}_{p}" for p in precisions for kind in ("default", "exact")]
    return [figures.agreement(results, way, reference) for way in ways if way != reference]


def _head(report: dict[str, Any]) -> str:
    machine, images, settings = report["machine"], report["images"], report["settings"]
    model = settings["model_name"]
    if settings["model_shape"] != "own":
        model = f"{settings['model_shape']}, random weights"
    unreadable = f", {images['num_unreadable']:,} unreadable" if images["num_unreadable"] else ""
    where = machine.get("gpu", "cpu")
    return (
        f"model   {model} · {where}, {machine['precision']}\n"
        f"images  {images['num_images']:,}, {images['num_distinct']:,} of them distinct"
        f"{unreadable}, {images['mean_file_kb']:,.0f} kB on average\n"
        f"machine {machine['cpu']}, {machine['cores']} cores, {machine['torch_threads']} threads "
        f"of torch {machine['versions']['torch']}\n"
        f"rounds  {settings['rounds']}, each measurement a process; medians (lowest–highest)"
    )


def _rates(report: dict[str, Any]) -> str:
    rows = [("measured", "images/s", "", "CPU ms/image", "peak MB")]
    for name, each in report["measurements"].items():
        rows.append(
            (
                "  " * (name in _STAGES or name.startswith("forward")) + _label(name),
                _number(each["images_per_s"]["median"]),
                _range(each["images_per_s"]),
                _number(each["cpu_ms_per_image"]["median"]),
                _memory(each),
            )
        )
    return aligned(rows)


def _ratio_table(report: dict[str, Any]) -> str:
    rows = [("images/s of … against …", "×", "")]
    for each in report["ratios"]:
        ours, theirs = each["of"]
        rows.append((f"{_label(ours)} / {_label(theirs)}", _number(each["median"]), _range(each)))
    return aligned(rows)


def _roof_table(report: dict[str, Any]) -> str:
    rows: list[tuple[str, ...]] = [
        ("roof", "images/s", "reached %", "", "CPU time of the stages %", "")
    ]
    for each in report["roofs"]:
        rate = _number(each["images_per_s"]["median"])
        shares = [each[key] for key in ("share", "share_of_cpu_time") if key in each]
        cells = [cell for s in shares for cell in (_number(s["median"]), _range(s))]
        rows.append((_label(each["of"]), rate, *cells, *[""] * (4 - len(cells))))
    rule = report["roofs"][0]["rule"]
    return aligned(rows) + f"\nthe roof is the {rule}: decode, forward, write"


def _sameness(report: dict[str, Any]) -> str:
    blocks = []
    rows: list[tuple[str, ...]]
    if "agreement" in report:
        rows = [("same prediction % (95 % interval)", "country", "", "city", "", "n")]
        for each in report["agreement"]:
            ours, theirs = each["of"]
            rows.append((f"{_label(ours)} = {_label(theirs)}", *_proportions(each)))
        blocks.append(aligned(rows))
    if "accuracy" in report:
        rows = [("accuracy % (95 % interval)", "country", "", "city", "", "n")]
        rows += [(_label(n), *_proportions(each)) for n, each in report["accuracy"].items()]
        blocks.append(aligned(rows))
    return "\n\n".join(blocks)


def _remarks(report: dict[str, Any]) -> str:
    lines = [report["stated"], "the second evaluation asks with another strategy"]
    if report["settings"]["model_shape"] != "own":
        lines.append("random weights: what they predict is not compared")
    if "pipeline" in report["measurements"]:
        way = report["measurements"]["pipeline"]
        lines.append(f"the pipeline saw {way['num_images']} images, {way['num_labels']} labels")
    for precision, texts in report["texts"].items():
        lines.append(
            f"prompts, once a run, {precision}: {texts['num_texts']:,} texts in "
            f"{texts['seconds']['value']:.1f} s"
        )
    for precision, each in report["computing"].items():
        line = (
            f"image tower, {precision}: {each['gflop_per_image']:.1f} GFLOP an image, "
            f"{each['forward']['median']:.3g} TFLOP/s alone, "
            f"{each['evaluation']['median']:.3g} end to end"
        )
        if "forward_share_of_peak" in each:
            alone, whole = each["forward_share_of_peak"], each["evaluation_share_of_peak"]
            line += f"; {alone['median']:.1f} % and {whole['median']:.1f} % of the chip's peak"
        lines.append(line)
    guess = report["estimate"]
    time = timedelta(seconds=round(guess["seconds"]["value"]))
    lines.append(f"{guess['num_images']:,} images, {_label(guess['of'])}: about {time} h:min:s")
    return "\n".join(lines)


_STAGES = frozenset(("decode_default", "decode_exact", "write"))
_LABELS = {
    "default": "evaluate",
    "exact": "evaluate, exact pixels",
    "forward": "forward alone",
}
_WHOLE_LABELS = {
    "decode_default": "decode alone",
    "decode_exact": "decode alone, exact pixels",
    "plain_loop": "transformers loop, fp32",
    "pipeline": "transformers pipeline, fp32",
    "first": "evaluate, filling the cache",
    "write": "predict and write alone",
    "second": "second evaluation, from the cache",
}


def _label(name: str) -> str:
    if name in _WHOLE_LABELS:
        return _WHOLE_LABELS[name]
    kind, precision = name.rsplit("_", 1)
    return f"{_LABELS[kind]}, {precision}"


def _memory(each: dict[str, Any]) -> str:
    if "peak_memory" not in each:
        return ""
    own = f"{each['peak_memory']['high']:,.0f}"
    decoders = each.get("decoders_peak_memory", {"high": 0})["high"]
    device = each.get("device_peak_memory")
    own += f" + {decoders:,.0f}" if decoders else ""
    return own + (f", GPU {device['high']:,.0f}" if device else "")


def _proportions(each: dict[str, Any]) -> tuple[str, ...]:
    country, city = each["country"], each["city"]
    return (
        percent(country["value"]),
        interval(country),
        percent(city["value"]),
        interval(city),
        f"{country['n']:,}",
    )


def _range(each: Figure) -> str:
    return f"({_number(each['low'])}–{_number(each['high'])})"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def _cores() -> int | None:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def _cpu_name() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
