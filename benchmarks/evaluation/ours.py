"""Our pipeline, measured: whole evaluations, and their stages alone.

Each function runs in a process of its own and gives plain values. `seconds` are of the pass over
`num_images` images: from the first that is opened to the last that is stored. Loading, prompts and
what comes before and after (registering, metrics, files) are told apart.
"""

import dataclasses
import hashlib
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import PIL.Image
import torch

from benchmarks.evaluation.clock import Span, StageClock, peak_memory, synchronise, timed
from benchmarks.evaluation.setup import Setup, Way
from streetclip import store
from streetclip.data.image_batches import iterate_batches
from streetclip.evaluation.preparation import Inputs, load_inputs
from streetclip.evaluation.runner import EvaluatedRun, evaluate
from streetclip.models.encoder import DualEncoder
from streetclip.models.identity import ModelIdentity
from streetclip.models.loading import load_encoder

if TYPE_CHECKING:
    from streetclip.config import EvaluateConfig

_PASS = "evaluate"
_ANOTHER_STRATEGY = "marginal"


def evaluation(setup: Setup, way: Way) -> dict[str, Any]:
    """A whole evaluation without a cache, as the job does it."""
    with _work(setup) as work, _loaded(setup.evaluation(work, way)) as loaded:
        inputs, about = loaded
        run, times = _evaluated(inputs)
        found = _predictions(inputs.config.db, run.run_id, setup.num_distinct)
    return about | times | found | peak_memory(inputs.encoder.device)


def second_evaluation(setup: Setup, way: Way) -> dict[str, Any]:
    """An evaluation that fills the cache, the same from the cache, and another strategy from it.

    The one from the cache finds its features ready, and so tells what predicting and writing take.
    """
    with _work(setup) as work, _loaded(setup.evaluation(work, way)) as loaded:
        inputs, about = loaded
        config = dataclasses.replace(inputs.config, no_cache=False, cache_dir=work / "features")
        parts = {}
        for name, strategy in (
            ("first", config.strategy),
            ("write", config.strategy),
            ("second", (_ANOTHER_STRATEGY,)),
        ):
            settings = dataclasses.replace(
                config, strategy=strategy, output_dir=work / name, db=work / f"{name}.db"
            )
            parts[name] = _evaluated(dataclasses.replace(inputs, config=settings))[1]
    return about | parts | peak_memory(inputs.encoder.device)


def decode(setup: Setup, way: Way) -> dict[str, Any]:
    """Decoding alone, with the processes that the evaluation has."""
    encoder = _encoder(setup, way)
    preprocess = encoder.preprocess if way.exact else encoder.fast_preprocess
    batches = iterate_batches(
        setup.paths(),
        preprocess,
        batch_size=setup.batch_size,
        num_workers=setup.num_workers,
        device=encoder.device,
    )
    num_images = 0
    with timed(encoder.device) as span:
        for batch in batches:
            num_images += len(batch.indices_B) + len(batch.errors)
    return _times(num_images, span) | peak_memory(encoder.device)


def forward(setup: Setup, way: Way) -> dict[str, Any]:
    """The image tower alone, on pixels that lie ready on the device."""
    encoder = _encoder(setup, way)
    full = _some_pixels(encoder, setup.batch_size)
    flops = image_tower_flops(encoder, full[:1])
    _warm_up(encoder, setup.batch_size)
    starts = range(0, setup.num_images, setup.batch_size)
    with timed(encoder.device) as span, encoder.fixed_weights():
        for start in starts:
            encoder.encode_images(full[: setup.num_images - start])
    about = {"flops_per_image": flops, "precision": encoder.precision.name}
    return about | _times(setup.num_images, span) | peak_memory(encoder.device)


def image_tower_flops(encoder: DualEncoder, pixels_BCHW: torch.Tensor) -> int:
    """Floating-point operations of a forward pass; a multiplication and an addition are two.

    Those of the whole tower, as is usual for a share of a peak; encoding leaves some of them out.

    Args:
        encoder: The model.
        pixels_BCHW: Of the images.
    """
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    # The products of fused attention are not counted on every device; those of the plain one are.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter, torch.no_grad():
        encoder.image_features(pixels_BCHW)
    return int(counter.get_total_flops())


class KeptTexts:
    """Encodes texts, but those that another process of this benchmark has encoded are read.

    What prompts cost is a figure of its own; to encode them again for each measurement would take
    longer than all else, and none of it would be counted.

    Attributes:
        num_encoded: Texts that were encoded here.
        seconds: What that took.
    """

    def __init__(self, encoder: DualEncoder, folder: Path, identity: ModelIdentity) -> None:
        """Take the place of `encoder.encode_texts`."""
        self._identity = identity.to_dict()
        self.num_encoded = 0
        self.seconds = 0.0
        self._encode: Callable[..., torch.Tensor] = encoder.encode_texts
        self._encoder = encoder
        self._folder = folder
        encoder.encode_texts = self  # type: ignore[assignment]

    def __call__(self, texts: Sequence[str], **options: Any) -> torch.Tensor:
        """As `DualEncoder.encode_texts`."""
        made_of = [self._identity, self._encoder.precision.name, *texts]
        key = json.dumps(made_of, sort_keys=True).encode()
        path = self._folder / f"texts-{hashlib.sha256(key).hexdigest()[:16]}.pt"
        if path.exists():
            kept_TD: torch.Tensor = torch.load(
                path, weights_only=True, map_location=self._encoder.device
            )
            return kept_TD
        with timed(self._encoder.device) as span:
            features_TD = self._encode(texts, **options)
        self.num_encoded += len(texts)
        self.seconds += span.wall_s
        torch.save(features_TD, path)
        return features_TD


def _encoder(setup: Setup, way: Way) -> DualEncoder:
    return load_encoder(setup.model_folder, device=setup.device, precision=way.precision)


@contextmanager
def _work(setup: Setup) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(dir=setup.folder))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@contextmanager
def _loaded(config: "EvaluateConfig") -> Iterator[tuple[Inputs, dict[str, Any]]]:
    """What an evaluation works on, warmed up, and what there is to say of it in the end."""
    about: dict[str, Any] = {}
    began_s = time.perf_counter()
    inputs = load_inputs(config)
    synchronise(inputs.encoder.device)
    about["load_s"] = time.perf_counter() - began_s
    texts = KeptTexts(inputs.encoder, config.test_csv.parent, inputs.identity)
    _warm_up(inputs.encoder, config.batch_size)
    about["precision"] = inputs.encoder.precision.name
    yield inputs, about
    about["texts"] = {"num_texts": texts.num_encoded, "seconds": texts.seconds}


def _warm_up(encoder: DualEncoder, batch_size: int) -> None:
    encoder.encode_images(_some_pixels(encoder, batch_size))
    synchronise(encoder.device)


def _some_pixels(encoder: DualEncoder, batch_size: int) -> torch.Tensor:
    """Noise of the shape that the model takes, on its device."""
    shape_HWC = encoder.preprocess(PIL.Image.new("RGB", (64, 48))).shape
    height, width, channels = shape_HWC
    shape = (batch_size, channels, height, width)
    noise = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    return torch.from_numpy(noise).to(encoder.device)


def _evaluated(inputs: Inputs) -> tuple[EvaluatedRun, dict[str, Any]]:
    clock = StageClock(inputs.encoder.device)
    with timed(inputs.encoder.device) as whole:
        (run,) = evaluate(inputs, clock)
    around_s = whole.wall_s - sum(span.wall_s for span in clock.spans.values())
    num_images = run.metrics["num_images"]
    unreadable = {"num_unreadable": run.metrics["num_unreadable"]}
    return run, {"around_s": around_s} | unreadable | _times(num_images, clock.spans[_PASS])


def _times(num_images: int, span: Span) -> dict[str, Any]:
    return {"num_images": num_images, "seconds": span.wall_s, "cpu_s": span.cpu_s}


def _predictions(db: Path, run_id: int, num_distinct: int) -> dict[str, Any]:
    """What was predicted of each image once, None where it could not be read, and what is right."""
    with store.open_store(db, read_only=True) as opened:
        frame = store.read_predictions(opened, run_id)[:num_distinct]
    read = frame["status"] == "ok"
    rows = frame[["pred_country", "pred_city"]].to_numpy(object).tolist()
    return {
        "predictions": [row if ok else None for row, ok in zip(rows, read, strict=True)],
        "num_country_correct": int(frame["country_correct"].sum()),
        "num_city_correct": int(frame["city_correct"].sum()),
    }
