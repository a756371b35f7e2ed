"""Predict country and city of each photo of a folder.

No CSV is needed and no accuracy is claimed. GPS in a photo's EXIF is taken as its truth; a photo
without it has none. A prediction is a guess that may be wrong by a continent, however high its
probability: do not use it to locate or follow people, nor on photos that you may not use.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from jobs.support.cli import run_job
from jobs.support.metrics_table import aligned, percent
from jobs.support.record import Job
from streetclip.config import PredictConfig
from streetclip.errors import shown

if TYPE_CHECKING:
    import pandas as pd

_MOST_LISTED = 20


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job and return its exit code."""
    return run_job(PredictConfig, __doc__, argv, _predict)


def _predict(config: PredictConfig, job: Job) -> None:
    from streetclip.evaluation.photos import GEOJSON_FILE, predict_photos, write_files
    from streetclip.evaluation.run_folder import PREDICTIONS_FILE
    from streetclip.files import refuse_existing

    if not config.overwrite:
        paths = [config.output_dir / name for name in (PREDICTIONS_FILE, GEOJSON_FILE)]
        advice = "Name another --output_dir, or replace them with --overwrite."
        refuse_existing(*paths, advice=advice)
    frame = predict_photos(config, job.progress)
    written = write_files(config.output_dir, frame)
    for path in written:
        job.add_output(path)
    _print_photos(frame)
    print(f"\nfiles  {written[0]}\n       {written[1]}")


def _print_photos(frame: "pd.DataFrame") -> None:
    """Print the first predictions, what could not be read, and how many photos have a truth."""
    is_read = frame["status"] == "ok"
    num_read, num_located = int(is_read.sum()), int(frame["truth_source"].notna().sum())
    heads = ("photo", "country", "%", "city", "% in country", "km from its GPS")
    rows = frame[is_read].head(_MOST_LISTED).to_dict("records")
    print(aligned([heads, *map(_line, rows)]))
    if num_read > len(rows):
        print(f"… and {num_read - len(rows):,} more")
    errors = frame.loc[~is_read, "error"].tolist()
    for error in errors[:_MOST_LISTED]:
        print(f"✗ {error}")
    if len(errors) > _MOST_LISTED:
        print(f"✗ … and {len(errors) - _MOST_LISTED:,} more")
    print(
        f"\n{num_read:,} photos predicted, {len(errors):,} unreadable; {num_located:,} with GPS in "
        f"their EXIF, taken as truth, {num_read - num_located:,} without any truth"
    )


def _line(photo: dict[Any, Any]) -> tuple[str, ...]:
    from streetclip import gazetteer

    return (
        shown(photo["image_filename"]),
        gazetteer.countries()[photo["pred_country"]].name,
        percent(photo["country_probability"]),
        shown(photo["pred_city"])[1:-1],
        percent(photo["city_probability"]),
        "" if math.isnan(photo["distance_km"]) else f"{photo['distance_km']:,.0f}",
    )


if __name__ == "__main__":
    raise SystemExit(main())
