"""The small drawn world's test images many times over, so that an evaluation takes its time."""

import csv
import shutil
from pathlib import Path


def repeat_test_images(world: Path, folder: Path, num_copies: int) -> Path:
    """Copy the images under new names, with a test.csv and the candidates.

    Args:
        world: A drawn world.
        folder: To be made.
        num_copies: Of each test image.

    Returns:
        The folder.
    """
    (folder / "images").mkdir(parents=True)
    shutil.copy(world / "candidates.json", folder)
    with (world / "test.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    with (folder / "test.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        for copy in range(num_copies):
            for row in rows:
                name = f"{copy}_{row['image_filename']}"
                # A link would change the time of the image's inode under other tests.
                shutil.copyfile(world / "images" / row["image_filename"], folder / "images" / name)
                writer.writerow(row | {"image_filename": name})
    return folder
