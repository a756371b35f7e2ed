"""Measure an evaluation whose features are in the cache: from the files to a finished run.

    python benchmarks/measure_evaluation.py --rows 100000 [--strategy hierarchical] [--folder PATH]

Makes a test file of so many images in 200 countries, 4,669 candidate cities, image files of a few
bytes, a cache that knows their features, and class weights (once a folder). Then the library's own
`evaluate` runs on them in this process, every step timed where it stands. The model alone is left
out: it is not loaded, and its class weights are there. "before" is what reads and checks the files.
"""

import argparse
import contextlib
import functools
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # run as a script, tests/ alone is there

NUM_COUNTRIES, NUM_CITIES, DIMENSIONS = 200, 4669, 512
LOGIT_SCALE = 100.0
TOP_K = 10
_BLOCK_MADE = 2**15
# What an evaluation asks of a model that has nothing to encode.
ENCODER = SimpleNamespace(
    device=SimpleNamespace(type="cpu"),
    embedding_dim=DIMENSIONS,
    precision=SimpleNamespace(name="fp32"),
    preprocess="exact",
    fast_preprocess="exact",
)


def main():
    options = _parse()
    if options.make:
        make(options.folder, options.rows, options.seed)
        return
    with contextlib.ExitStack() as stack:
        folder = options.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder = folder / f"{options.rows}-{options.seed}"
        if not (folder / "made").exists():
            # In a process of its own: the peak of memory is to be the evaluation's.
            command = [sys.executable, __file__, "--make", "--folder", str(folder)]
            command += ["--rows", str(options.rows), "--seed", str(options.seed)]
            subprocess.run(command, check=True)
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=folder)))
        clock = Clock()
        evaluate(folder, work, options, clock)
        clock.report(options.rows)


def _parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rows", type=int, default=100_000, help="images")
    parser.add_argument("--strategy", default="hierarchical")
    parser.add_argument("--folder", type=Path, help="where the files are kept; default: removed")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--make", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


class Clock:
    """Seconds by step, passed and of all processors; a step inside another is taken off that one.

    Others may use the machine, too: then the processors' seconds say more about the program.
    """

    def __init__(self):
        self.seconds = {}
        self.peak_mb = {}
        self._inner = [np.zeros(2)]

    @contextlib.contextmanager
    def __call__(self, name):
        start = _now()
        self._inner.append(np.zeros(2))
        try:
            yield
        finally:
            elapsed = _now() - start
            own = elapsed - self._inner.pop()
            self._inner[-1] += elapsed
            self.seconds[name] = self.seconds.get(name, 0.0) + own
            self.peak_mb[name] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    def watch(self, module, function, name):
        """Time a function of a module from now on, if the module has it."""
        inner = getattr(module, function, None)
        if inner is None:
            return

        @functools.wraps(inner)
        def timed(*arguments, **named):
            with self(name):
                return inner(*arguments, **named)

        setattr(module, function, timed)

    def report(self, num_rows):
        before = {name: s for name, s in self.seconds.items() if name.startswith("before:")}
        steps = {name: s for name, s in self.seconds.items() if name not in before}
        total = sum(steps.values())
        print(
            f"{'step':29} {'seconds':>8} {'share':>6} {'us/row':>8} {'cpu us/row':>11} "
            f"{'peak MB':>8}"
        )
        for name, seconds in (*before.items(), *steps.items(), ("total", total)):
            share = "" if name in before else f"{seconds[0] / total[0]:.1%}"
            passed_us, cpu_us = 1e6 * seconds / num_rows
            peak_mb = self.peak_mb.get(name, max(self.peak_mb.values()))
            print(
                f"{name:29} {seconds[0]:8.2f} {share:>6} {passed_us:8.2f} {cpu_us:11.2f} "
                f"{peak_mb:8.0f}"
            )
        print(f"{num_rows / total[0]:.0f} rows/s; peak MB: the highest until the step's last end")


def _now():
    return np.array([time.perf_counter(), time.process_time()])


class TimedConnection:
    """A connection whose bulk inserts are timed, by table."""

    def __init__(self, connection, clock):
        self._connection = connection
        self._clock = clock

    def __getattr__(self, name):
        return getattr(self._connection, name)

    def executemany(self, sql, rows):
        table = sql.split()[2]
        if table not in ("predictions", "prediction_rankings"):
            return self._connection.executemany(sql, rows)
        with self._clock(f"insert {table}"):
            return self._connection.executemany(sql, rows)

    def execute(self, sql, *parameters):
        if sql != "COMMIT":
            return self._connection.execute(sql, *parameters)
        with self._clock("commit"):
            return self._connection.execute(sql)


def evaluate(folder, work, options, clock):
    """All of an evaluation but the model."""
    import torch

    from streetclip.captions.prompts import PAPER_PROMPTS
    from streetclip.config import EvaluateConfig
    from streetclip.data.candidates import load_candidates
    from streetclip.data.manifest import read_manifest
    from streetclip.evaluation import runner
    from streetclip.evaluation.preparation import Inputs
    from streetclip.evaluation.true_places import find_truth

    watch_steps(clock)
    config = EvaluateConfig(
        test_csv=folder / "test.csv",
        image_dir=folder / "images",
        candidates_file=folder / "candidates.json",
        output_dir=work / "evaluation",
        db=work / "store.db",
        cache_dir=folder / "features",
        strategy=(options.strategy,),
        top_k=TOP_K,
    )
    with clock("before: read the files"):
        manifest = read_manifest(config.test_csv)
        candidates = load_candidates(config.candidates_file)
    with clock("before: find the truth"):
        truth = find_truth(manifest.frame, candidates)
    with np.load(folder / "weights.npz") as weights:
        classifier = runner.PlaceClassifier(
            torch.from_numpy(weights["country_CD"]),
            torch.from_numpy(weights["city_MD"]),
            torch.from_numpy(candidates.city_country_M),
            LOGIT_SCALE,
        )
    runner.build_classifier = lambda *_: classifier
    inputs = Inputs(config, manifest, candidates, truth, ENCODER, _identity(), PAPER_PROMPTS)
    with clock("the rest"):
        runner.evaluate(inputs)


def watch_steps(clock):
    """Put clocks around what an evaluation calls."""
    from streetclip.evaluation import feature_cache, runner
    from streetclip.store import connection, predictions

    inner = connection.Store.__init__

    def timed_store(self, *arguments, **named):
        inner(self, *arguments, **named)
        self.db.conn = TimedConnection(self.db.conn, clock)

    connection.Store.__init__ = timed_store
    clock.watch(runner.store, "register_dataset", "register")
    clock.watch(runner, "image_paths", "paths")
    clock.watch(feature_cache.FeatureCache, "__init__", "cache: open")
    clock.watch(feature_cache.FeatureCache, "find", "cache: find")
    clock.watch(feature_cache.FeatureCache, "read", "cache: read")
    clock.watch(runner, "predict", "predict")
    clock.watch(runner, "truth_frame", "frames")
    clock.watch(runner, "prediction_frame", "frames")
    clock.watch(predictions, "_check", "check")
    clock.watch(predictions, "_new_ones", "check")
    clock.watch(predictions, "add_run_columns", "columns")
    clock.watch(runner, "measure", "finish: metrics")
    clock.watch(runner, "write_predictions", "finish: read, predictions.csv")
    clock.watch(runner.store, "finish_run", "finish: sort columns")


def make(folder, num_rows, seed):
    """Write candidates.json, weights.npz, test.csv, images and their features, in little memory."""
    from streetclip.data.candidates import load_candidates
    from streetclip.evaluation.feature_cache import content_digests, signatures
    from streetclip.evaluation.features import Encoding

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "candidates.json").write_text(json.dumps(_cities()), encoding="utf-8")
    candidates = load_candidates(folder / "candidates.json")
    rng = np.random.default_rng(seed)
    country_CD = _unit(rng.standard_normal((NUM_COUNTRIES, DIMENSIONS), np.float32))
    of_country_MD = country_CD[candidates.city_country_M]
    noise_MD = _unit(rng.standard_normal((NUM_CITIES, DIMENSIONS), np.float32))
    city_MD = _unit(of_country_MD + 0.7 * noise_MD)
    np.savez(folder / "weights.npz", country_CD=country_CD, city_MD=city_MD)
    with (folder / "test.csv").open("w", encoding="utf-8") as csv:
        csv.write("image_filename,city,region,country,continent,latitude,longitude,weather\n")
        cache = Encoding(ENCODER, ENCODER.preprocess, 1, 0).open_cache(
            folder / "features", _identity()
        )
        with cache.writer() as writer:
            for start in range(0, num_rows, _BLOCK_MADE):
                size = min(_BLOCK_MADE, num_rows - start)
                # Large cities have most of the images, as in the world.
                city = (NUM_CITIES * rng.random(size) ** 1.5).astype(np.int64)
                noise_ND = _unit(rng.standard_normal((size, DIMENSIONS), np.float32))
                features_ND = _unit(0.16 * city_MD[city] + noise_ND)
                csv.writelines(_lines(candidates, start, city, rng))
                paths = [
                    str(folder.resolve() / "images" / _name(i)) for i in range(start, start + size)
                ]
                _make_images(paths)
                features_ND = features_ND.astype(np.float16)
                writer.add(paths, signatures(paths), features_ND, content_digests(paths))
    (folder / "made").touch()


def _identity():
    from streetclip.models.identity import ModelIdentity

    return ModelIdentity("no weights", "", "", "")


def _name(number):
    return f"{number // 1000:05}/{number:09}.jpg"


def _make_images(paths):
    """Many names of one small file: what is looked at is who they are, not what they show."""
    first, *others = map(Path, paths)
    first.parent.mkdir(parents=True, exist_ok=True)
    first.write_text(first.stem)
    for path in others:
        path.parent.mkdir(exist_ok=True)
        path.hardlink_to(first)


def _cities():
    """200 countries with 4,669 cities, by country."""
    from streetclip import gazetteer

    codes = sorted(gazetteer.countries(), key=lambda c: -gazetteer.countries()[c].population)
    found = {code: gazetteer.most_populous_cities(code, 40) for code in codes}
    chosen = sorted(codes, key=lambda code: -len(found[code]))[:NUM_COUNTRIES]
    most = next(n for n in range(40) if sum(len(found[c][:n]) for c in chosen) >= NUM_CITIES)
    surplus = sum(len(found[c][:most]) for c in chosen) - NUM_CITIES
    return {
        gazetteer.countries()[code].name: [
            {"city": each.name, "latitude": each.latitude_deg, "longitude": each.longitude_deg}
            for each in found[code][: most - (i < surplus)]
        ]
        for i, code in enumerate(chosen)
    }


def _lines(candidates, start, city_N, rng):
    latitude_N = (candidates.city_latitude_deg_M[city_N] + rng.normal(0, 0.06, len(city_N))).clip(
        -89, 89
    )
    longitude_N = (candidates.city_longitude_deg_M[city_N] + rng.normal(0, 0.08, len(city_N))).clip(
        -180, 180
    )
    weather_N = rng.choice(["clear", "cloudy", "rain"], len(city_N))
    rows = zip(city_N.tolist(), latitude_N, longitude_N, weather_N, strict=True)
    for i, (city, latitude, longitude, weather) in enumerate(rows, start):
        country = candidates.country_names[candidates.city_country_M[city]]
        yield (
            f'{_name(i)},"{candidates.city_names[city]}",,"{country}",,'
            f"{latitude:.5f},{longitude:.5f},{weather}\n"
        )


def _unit(values_ND):
    return values_ND / np.linalg.norm(values_ND, axis=1, keepdims=True)


if __name__ == "__main__":
    main()
