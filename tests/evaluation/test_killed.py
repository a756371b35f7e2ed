"""An evaluation killed with KILL at random moments, resumed each time, as a user would."""

import sqlite3

import pytest

from tests.killing import evaluation_differences, run_job, run_killed
from tests.large_world import repeat_test_images

NUM_KILLS = 2


def flags(world, images, folder, precision):
    """An evaluation of some seconds, whose predictions are stored every two of them."""
    return (
        f"--test_csv={images / 'test.csv'}",
        f"--image_dir={images / 'images'}",
        f"--candidates_file={images / 'candidates.json'}",
        f"--model_name={world / 'model'}",
        f"--output_dir={folder / 'evaluation'}",
        f"--db={folder / 'streetclip.db'}",
        "--strategy=hierarchical",
        "--strategy=marginal",
        "--batch_size=4",
        "--num_workers=1",
        "--device=cpu",
        f"--precision={precision}",
    )


@pytest.mark.slow
@pytest.mark.parametrize(("precision", "num_processes"), [("bf16", 2)])
def test_an_evaluation_killed_at_random_moments_ends_as_an_undisturbed_one(
    small_world, tmp_path, precision, num_processes
):
    images = repeat_test_images(small_world, tmp_path / "large", 12)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    work_s = run_job(
        "evaluate", flags(small_world, images, whole, precision), num_processes=num_processes
    )
    num_kills = run_killed(
        "evaluate",
        flags(small_world, images, killed, precision),
        num_kills=NUM_KILLS,
        longest_s=work_s / (2 * NUM_KILLS),
        seed=6,
        num_processes=num_processes,
    )
    assert num_kills  # a busy machine may leave less to the later ones
    places = [(folder / "evaluation", folder / "streetclip.db") for folder in (killed, whole)]
    assert evaluation_differences(*places[0], *places[1]) == []
    names = {path.name for path in (killed / "evaluation").iterdir()}
    assert names == {"config.json", "metrics.json", "predictions.csv", "marginal"}
    # The comparison can tell evaluations apart.
    with sqlite3.connect(whole / "streetclip.db") as connection:
        connection.execute(
            "UPDATE predictions SET distance_km = distance_km * (1 + 1e-15) WHERE run_id = 2"
        )
        connection.execute(
            "UPDATE predicted_places SET city = city || '!' WHERE run_id = 1 AND id = 1"
        )
    assert evaluation_differences(*places[0], *places[1]) == [
        "run 1 predicted_places city",
        "run 2 predictions distance_km",
    ]
