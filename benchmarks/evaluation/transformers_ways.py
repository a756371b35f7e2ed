"""What people use instead: a loop of a few lines, and transformers' zero-shot pipeline.

An image that PIL cannot open is left out; it counts as done, as it does in our own pipeline.
"""

import itertools
import time
from pathlib import Path
from typing import Any

import PIL.Image
import torch

from benchmarks.evaluation.clock import peak_memory, synchronise, timed
from benchmarks.evaluation.setup import Setup, Way
from streetclip.captions.prompts import PAPER_PROMPTS, country_prompts
from streetclip.models.precision import resolve_device
from streetclip.models.transformers_logging import quiet_transformers

_UNREADABLE = (OSError, SyntaxError, ValueError)


def plain_loop(setup: Setup, _way: Way) -> dict[str, Any]:
    """A loop in float32: texts encoded once, images opened one after the other, in batches."""
    from transformers import AutoModel, AutoProcessor

    device = resolve_device(setup.device)
    began_s = time.perf_counter()
    with quiet_transformers():
        model = AutoModel.from_pretrained(setup.model_folder, dtype=torch.float32)
        processor = AutoProcessor.from_pretrained(setup.model_folder)
    model.to(device).eval()
    load_s = time.perf_counter() - began_s
    texts = [country_prompts(PAPER_PROMPTS, n)[0] for n in setup.countries]
    paths = setup.paths()
    with torch.no_grad():
        with timed(device) as text:
            tokens = processor(text=texts, return_tensors="pt", padding=True, truncation=True)
            text_CD = _unit(model.get_text_features(**tokens.to(device)))
        _classify(model, processor, [_blank()] * setup.batch_size, text_CD)  # to warm up
        with timed(device) as span:
            best = []
            for start in range(0, len(paths), setup.batch_size):
                images = _opened(paths[start : start + setup.batch_size])
                best += _classify(model, processor, images, text_CD)
    return {
        "num_images": len(paths),
        "num_unreadable": len(paths) - len(best),
        "seconds": span.wall_s,
        "cpu_s": span.cpu_s,
        "load_s": load_s,
        "texts": {"num_texts": len(texts), "seconds": text.wall_s},
        **peak_memory(device),
    }


def zero_shot_pipeline(setup: Setup, _way: Way) -> dict[str, Any]:
    """`pipeline("zero-shot-image-classification")`, an image a call, as its page has it."""
    from transformers import pipeline

    device = resolve_device(setup.device)
    began_s = time.perf_counter()
    with quiet_transformers():
        classify = pipeline(
            "zero-shot-image-classification", model=str(setup.model_folder), device=device
        )
    load_s = time.perf_counter() - began_s
    question: dict[str, Any] = {
        "candidate_labels": list(setup.labels),
        "hypothesis_template": "A Street View photo in {}.",
    }
    classify(_blank(), **question | {"candidate_labels": ["France", "Spain"]})  # to warm up
    synchronise(device)
    readable = (path for path in setup.paths() if _opened([path]))
    chosen = list(itertools.islice(readable, setup.pipeline_images))
    with timed(device) as span:
        for path in chosen:
            classify(str(path), **question)
    return {
        "num_images": len(chosen),
        "num_labels": len(setup.labels),
        "seconds": span.wall_s,
        "cpu_s": span.cpu_s,
        "load_s": load_s,
        **peak_memory(device),
    }


def _classify(
    model: Any, processor: Any, images: list[PIL.Image.Image], text_CD: torch.Tensor
) -> list[int]:
    if not images:
        return []
    inputs = processor(images=images, return_tensors="pt").to(text_CD.device)
    scores_BC = _unit(model.get_image_features(**inputs)) @ text_CD.T
    best: list[int] = scores_BC.argmax(dim=-1).tolist()
    return best


def _unit(output: Any) -> torch.Tensor:
    features: torch.Tensor = output.pooler_output
    return torch.nn.functional.normalize(features, dim=-1)


def _opened(paths: list[Path]) -> list[PIL.Image.Image]:
    images = []
    for path in paths:
        try:
            with PIL.Image.open(path) as image:
                images.append(image.convert("RGB"))
        except _UNREADABLE:
            continue
    return images


def _blank() -> PIL.Image.Image:
    return PIL.Image.new("RGB", (640, 480))
