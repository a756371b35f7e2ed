"""Measure time and memory of importing many predictions: python benchmarks/measure_import.py."""

import argparse
import csv
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from streetclip.gazetteer import City, countries
from streetclip.gazetteer.cities import listed_cities

_LABELS = ("image_filename", "city", "region", "country", "continent", "latitude", "longitude")
_NAMES = ("image", "pred_country", "pred_city", "confidence")


def main() -> None:
    """Write a made-up test file and predictions, import them, and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--num_images", type=int, default=1_000_000)
    parser.add_argument("--only_coordinates", action="store_true", help="predict no names")
    flags = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_files(folder, flags.num_images, has_names=not flags.only_coordinates)
        paths = {"test_csv": "test.csv", "predictions": "p.csv", "db": "s.db", "output_dir": "out"}
        command = [f"--{flag}={folder / path}" for flag, path in paths.items()]
        start = time.monotonic()
        job = ["jobs/import_predictions.py", "--run_name=measured", *command]
        subprocess.run([sys.executable, *job], check=True, stdout=subprocess.DEVNULL)
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu_s = used.ru_utime + used.ru_stime
        print(
            f"{flags.num_images:,} predictions: {time.monotonic() - start:.0f} s, "
            f"{cpu_s:.0f} s of CPU, peak memory {used.ru_maxrss * 1024 / 1e9:.2f} GB"
        )


def write_files(folder: Path, num_images: int, *, has_names: bool) -> None:
    """Write test.csv and p.csv; half of the predictions are near the true city."""
    chance = random.Random(1)
    cities = [city for code in countries() for city in listed_cities(code)]
    with (
        (folder / "test.csv").open("w", encoding="utf-8", newline="") as test,
        (folder / "p.csv").open("w", encoding="utf-8", newline="") as predictions,
    ):
        labels, rows = csv.writer(test), csv.writer(predictions)
        labels.writerow(_LABELS)
        rows.writerow([*(_NAMES if has_names else _NAMES[:1]), "pred_lat", "pred_lon"])
        for i in range(num_images):
            true = chance.choice(cities)
            pred = true if chance.random() < 0.5 else chance.choice(cities)
            name = f"{i // 1000}/{i}.jpg"
            labels.writerow([name, true.name, true.region, true.country_code, "", *near(true)])
            names = (pred.country_code, pred.name, round(chance.random(), 4))
            rows.writerow([name, *(names if has_names else ()), *near(pred, chance)])


def near(city: City, chance: random.Random | None = None) -> list[float]:
    """Return the city's coordinates, or some within 0.1 degrees."""
    offset = 0.0 if chance is None else chance.uniform(-0.1, 0.1)
    return [round(city.latitude_deg + offset, 5), round(city.longitude_deg + offset, 5)]


if __name__ == "__main__":
    main()
