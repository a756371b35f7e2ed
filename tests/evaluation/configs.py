"""Settings of small evaluations."""

from streetclip.config import EvaluateConfig


def config_in(world, folder, **changes):
    """Evaluate a small world in this process, in float32, with store and outputs in a folder."""
    values = {
        "test_csv": world / "test.csv",
        "image_dir": world / "images",
        "model_name": str(world / "model"),
        "candidates_file": world / "candidates.json",
        "output_dir": folder / "evaluation",
        "db": folder / "streetclip.db",
        "num_workers": 0,
        "batch_size": 16,
        "precision": "fp32",
    }
    return EvaluateConfig(**(values | changes))
