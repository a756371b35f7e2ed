"""Make a store with millions of plausible predictions over 200 countries, to test the dashboard.

    python benchmarks/make_big_store.py --images 1000000 --db outputs/big.db --image_dir outputs/big

The models are dice, loaded so that what they do looks like what models do: mistakes go to
neighbours and to look-alikes, fog makes them worse, they are surer where they are right, and each
further run is right more often. Written through the store's own functions. For the tests alone.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw
from tqdm import tqdm

from streetclip import provenance
from streetclip.captions.prompts import PAPER_PROMPTS
from streetclip.evaluation.run_metrics import measure
from streetclip.results import RunTable
from streetclip.store import (
    DatasetSpec,
    RunSpec,
    Store,
    finish_run,
    open_store,
    register_dataset,
    start_run,
    write_predictions,
)

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script, tests/ alone is there
from benchmarks import big_world
from benchmarks.big_world import World, draw_images, predict

CHUNK = 100_000
NUM_DRAWN = 240
NAMES = ("Zero-shot CLIP on big", "Fine-tuned on big")


def make_big_store(
    path: Path,
    *,
    num_images: int,
    num_runs: int = 2,
    seed: int = 0,
    image_dir: Path | None = None,
    quiet: bool = False,
) -> list[int]:
    """Write the store.

    Args:
        path: SQLite file; must not exist.
        num_images: Images of its one dataset.
        num_runs: Runs over them, each better than the one before.
        seed: The same seed and numbers give the same rows.
        image_dir: Where the first images are drawn; none is drawn by default.
        quiet: Show no progress.

    Returns:
        Ids of the runs.

    Raises:
        FileExistsError: The file exists.
    """
    if path.exists():
        raise FileExistsError(path)
    world = World(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    candidates = path.with_suffix(".candidates.json")
    world.write_candidates(candidates)
    if image_dir is not None:
        _draw_files(world, image_dir, min(NUM_DRAWN, num_images))
    folder = image_dir or path.parent / "images"
    bar = tqdm(total=num_images * (num_runs + 1), unit="image", unit_scale=True, disable=quiet)
    with open_store(path) as store, bar:
        bar.set_description("registering")
        frame = _manifest(world, num_images)
        dataset = register_dataset(store, _dataset_spec(path, folder, frame, seed))
        del frame
        bar.update(num_images)
        run_ids = []
        for run in range(num_runs):
            bar.set_description(f"run {run + 1}")
            spec = run_spec(run, dataset.id, num_images, candidates)
            run_ids.append(start_run(store, spec))
            _write_run(store, world, run, run_ids[-1], dataset.image_ids, bar)
    return run_ids


def chunks(num_images: int) -> list[tuple[int, int, int]]:
    """Number, start and size of each chunk."""
    starts = range(0, num_images, CHUNK)
    return [(i, start, min(CHUNK, num_images - start)) for i, start in enumerate(starts)]


def _manifest(world: World, num_images: int) -> pd.DataFrame:
    images = [draw_images(world, chunk, size) for chunk, _, size in chunks(num_images)]
    city = np.concatenate([each.city_N for each in images])
    places = big_world.place_columns(world, city)
    places["country_code"] = places.pop("country")
    attributes = [pd.DataFrame(big_world.attribute_columns(each)) for each in images]
    names = [image_name(i) for i in range(num_images)]
    return pd.DataFrame(
        {
            "image_filename": pd.Series(names, dtype=object),
            "country": big_world.country_names(world, city),
            "latitude_deg": np.concatenate([each.latitude_N for each in images]),
            "longitude_deg": np.concatenate([each.longitude_N for each in images]),
            "line": np.arange(2, num_images + 2),
            **places,
            **pd.concat(attributes, ignore_index=True),
        }
    )


def image_name(i: int) -> str:
    """Name of the i-th image, relative to the folder."""
    return f"{i // 10_000:04d}/{i:08d}.jpg"


def _dataset_spec(path: Path, folder: Path, frame: pd.DataFrame, seed: int) -> DatasetSpec:
    return DatasetSpec(
        name="big",
        csv_path=path.with_suffix(".csv"),
        csv_sha256=f"{seed:064d}",
        image_dir=folder,
        frame=frame,
        attribute_columns=("weather", "season"),
        drawn=True,
    )


def run_spec(run: int, dataset_id: int, num_images: int, candidates: Path) -> RunSpec:
    """Describe a run, numbered from 0."""
    return RunSpec(
        name=NAMES[run] if run < len(NAMES) else f"{NAMES[-1]}, try {run}",
        fingerprint=f"big-{dataset_id}-{run}",
        dataset_id=dataset_id,
        model_source="openai/clip-vit-large-patch14-336" if run == 0 else f"dice/{run}.pt",
        model_sha256=f"{run:064x}",
        candidates_path=candidates,
        candidates_sha256="0" * 64,
        prompts=PAPER_PROMPTS.to_dict(),
        strategy="hierarchical",
        seed=42,
        config={"batch_size": 32, "top_k": 2, "precision": "auto"},
        versions=provenance.versions(),
        commit=None,
        num_images=num_images,
        output_dir=candidates.parent,
    )


def _write_run(
    store: Store, world: World, run: int, run_id: int, image_ids: np.ndarray, bar: tqdm
) -> None:
    for chunk, start, size in chunks(len(image_ids)):
        images = draw_images(world, chunk, size)
        frame = predict(images, run, image_ids[start : start + size])
        write_predictions(store, {run_id: frame})
        bar.update(size)
    bar.set_description(f"measuring run {run + 1}")
    codes = world.codes[world.country_is_candidate_C].tolist()
    table = RunTable.open(store.path, run_id)
    finish_run(store, run_id, measure(table, candidate_codes=codes))


def _draw_files(world: World, image_dir: Path, count: int) -> None:
    """Draw the first images: sky, ground, a road, and a board with the place's name."""
    images = draw_images(world, 0, CHUNK)
    for i in range(count):
        path = image_dir / image_name(i)
        path.parent.mkdir(parents=True, exist_ok=True)
        city = images.city_N[i]
        rng = np.random.default_rng([world.seed, 97, i])
        sky, ground = rng.integers((90, 130, 180), (190, 210, 255)), rng.integers(40, 170, 3)
        picture = Image.new("RGB", (640, 480), tuple(sky.tolist()))
        draw = ImageDraw.Draw(picture)
        horizon = int(rng.integers(200, 300))
        draw.rectangle((0, horizon, 640, 480), fill=tuple(ground.tolist()))
        draw.polygon(((300, horizon), (340, horizon), (560, 480), (80, 480)), fill=(80, 80, 85))
        draw.line((320, horizon, 320, 480), fill=(240, 240, 230), width=4)
        draw.rectangle((20, 20, 330, 70), fill=(20, 90, 50))
        text = f"{world.city_M[city]}, {world.countries[images.country_N[i]].name}"
        draw.text((30, 35), text.encode("ascii", "replace").decode(), fill="white")
        picture.save(path, quality=85)


def main(arguments: list[str] | None = None) -> None:
    """Read the flags and make the store."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=1_000_000, help="images of the dataset")
    parser.add_argument("--db", type=Path, required=True, help="SQLite file to make")
    parser.add_argument("--runs", type=int, default=2, help="runs over the same images")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--image_dir", type=Path, help=f"draw the first {NUM_DRAWN} images here")
    options = parser.parse_args(arguments)
    make_big_store(
        options.db,
        num_images=options.images,
        num_runs=options.runs,
        seed=options.seed,
        image_dir=options.image_dir,
    )


if __name__ == "__main__":
    main()
