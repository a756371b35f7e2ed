"""Train and evaluate the drawn demo world again and again: by seed, number format, templates.

    python benchmarks/measure_demo.py --seeds 0 1 2 3 4 --precisions fp32 bf16
    python benchmarks/measure_demo.py --seeds 0 1 2 --templates \
        "full" "full paper" "full full paper"

Prints accuracies of the test images in per cent, and the validation accuracy after each epoch. The
jobs are those of `make demo-run`, as processes of their own; with `--without_captions_csv`, the
training makes the captions of `train.csv` itself.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
FIGURES = ("country_accuracy", "city_accuracy", "hierarchical_accuracy")


def main() -> None:
    """Print a line for each training."""
    args = build_parser().parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        for templates in args.templates:
            for precision in args.precisions:
                for seed in args.seeds:
                    work = Path(scratch) / f"{templates}-{precision}-{seed}"
                    flags = ["--templates", *templates.split()] if templates else []
                    csv_dir = args.demo
                    if not args.without_captions_csv:
                        csv_dir = write_captions(args.demo, work, seed, flags)
                    scores, curve = measure(
                        args.demo, csv_dir, work, [*_how(seed, precision), *flags]
                    )
                    print(
                        f"{templates or 'default'} · {precision} · seed {seed} · "
                        + " ".join(f"{name} {scores[name]:.1f}" for name in FIGURES)
                        + f" · validation {' '.join(f'{100 * value:.0f}' for value in curve)}",
                        flush=True,
                    )


def build_parser() -> argparse.ArgumentParser:
    """Make the parser."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--demo", type=Path, default=Path("data/demo"), help="of make_demo")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--precisions", nargs="+", default=["fp32"])
    parser.add_argument(
        "--templates", nargs="+", default=[""], help="each a list of names; empty: the default"
    )
    parser.add_argument("--without_captions_csv", action="store_true")
    return parser


def write_captions(demo: Path, work: Path, seed: int, flags: list[str]) -> Path:
    """Write captions of both splits, and give their folder."""
    folder = work / "captions"
    splits = [f"--{split}_csv={demo / split}.csv" for split in ("train", "val")]
    _run("generate_captions", *splits, f"--output_dir={folder}", f"--seed={seed}", *flags)
    for split in ("train", "val"):
        (folder / f"{split}_captions.csv").rename(folder / f"{split}.csv")
    return folder


def measure(
    demo: Path, csv_dir: Path, work: Path, flags: list[str]
) -> tuple[dict[str, float], list[float]]:
    """Train once and evaluate.

    Args:
        demo: Folder of `make_demo`.
        csv_dir: Folder of `train.csv` and `val.csv`.
        work: Folder for outputs.
        flags: Further ones of `train`; the precision is the evaluation's, too.

    Returns:
        Accuracies of the test images in per cent, and the validation accuracy, 0..1, by epoch.
    """
    common = [f"--image_dir={demo / 'images'}", f"--db={work}.db"]
    _run(
        "train",
        "--recipe=demo",
        f"--train_csv={csv_dir / 'train.csv'}",
        f"--val_csv={csv_dir / 'val.csv'}",
        f"--model_name={demo / 'model'}",
        f"--output_dir={work / 'training'}",
        *common,
        *flags,
    )
    _run(
        "evaluate",
        f"--test_csv={demo / 'test.csv'}",
        f"--checkpoint_path={work / 'training' / 'best_model.pt'}",
        f"--candidates_file={demo / 'candidates.json'}",
        f"--output_dir={work / 'evaluation'}",
        "--no_cache",
        *common,
        *(flag for flag in flags if flag.startswith("--precision")),
    )
    metrics = json.loads((work / "evaluation" / "metrics.json").read_text(encoding="utf-8"))
    return {name: 100 * metrics[name]["value"] for name in FIGURES}, _curve(Path(f"{work}.db"))


def _curve(db: Path) -> list[float]:
    from streetclip import store

    with store.open_store(db, read_only=True) as opened:
        training = int(store.list_trainings(opened)["id"].iloc[0])
        frame = store.training_curves(opened, training)
    points: list[float] = frame[frame["name"] == "val_country_accuracy"]["value"].tolist()
    return points


def _how(seed: int, precision: str) -> list[str]:
    return [f"--seed={seed}", f"--precision={precision}"]


def _run(job: str, *flags: str) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "jobs" / f"{job}.py"), *flags],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(done.stderr)


if __name__ == "__main__":
    main()
