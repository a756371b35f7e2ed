"""Load the tokenizer and the image processor of a model folder."""

import logging
import re
from pathlib import Path
from typing import Any

from streetclip.errors import ModelError
from streetclip.files import scratch_folder
from streetclip.models.transformers_logging import quiet_transformers
from streetclip.models.weights import first_line

_LOG = logging.getLogger(__name__)
_IMAGE_PROCESSOR_FILES = ("config.json", "preprocessor_config.json", "processor_config.json")
_OLD_TYPE = re.compile(r'("image_processor_type"\s*:\s*"\w+)FeatureExtractor(?=")')


def read_processors(folder: Path, config: Any, name: str) -> tuple[Any, Any]:
    """Load tokenizer and image processor, or raise ModelError; run no foreign code."""
    with quiet_transformers():
        return _read_tokenizer(folder, config, name), _read_image_processor(folder, name)


def unreadable(name: str, part: str, error: Exception) -> ModelError:
    """Make the error about a part of a model that cannot be read."""
    return ModelError(f"{name}: its {part} cannot be read ({first_line(error)}).")


def _read_tokenizer(folder: Path, config: Any, name: str) -> Any:
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        return _as_trained(tokenizer, config, folder)
    except ImportError as error:
        msg = f"{name}: its tokenizer needs a package that is not installed "
        raise ModelError(msg + f"({first_line(error)}). Install it, then try again.") from error
    except Exception as error:  # tokenizers raises bare Exception
        raise unreadable(name, "tokenizer", error) from error


def _as_trained(tokenizer: Any, config: Any, folder: Path) -> Any:
    """Make a SigLIP tokenizer lower-case texts, unless its files refuse it.

    The fixed-size SigLIP 2 names a plain `GemmaTokenizer`, which keeps capitals; `Siglip2Tokenizer`
    adds the missing step (transformers pull request 43101).
    """
    if "siglip" not in config.model_type or tokenizer.init_kwargs.get("do_lower_case") is False:
        return tokenizer
    upper, lower = tokenizer(["A Road In FRANCE", "a road in france"])["input_ids"]
    if upper == lower:
        return tokenizer
    from tokenizers import normalizers
    from transformers import GemmaTokenizer, Siglip2Tokenizer

    if isinstance(tokenizer, GemmaTokenizer):
        return Siglip2Tokenizer.from_pretrained(folder, trust_remote_code=False)
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        _LOG.warning(
            "the tokenizer (%s) keeps capitals, but SigLIP models were trained on lower-case text; "
            "write captions and prompts in lower case",
            type(tokenizer).__name__,
        )
        return tokenizer
    steps = [normalizers.Lowercase(), *([backend.normalizer] if backend.normalizer else [])]
    backend.normalizer = normalizers.Sequence(steps)
    return tokenizer


def _read_image_processor(folder: Path, name: str) -> Any:
    """Load an image processor, renaming the `FeatureExtractor` of transformers < 4.26."""
    from transformers import AutoImageProcessor

    options = {"trust_remote_code": False, "backend": "pil"}
    try:
        files = [folder / each for each in _IMAGE_PROCESSOR_FILES if (folder / each).is_file()]
        texts = [file.read_text(encoding="utf-8") for file in files]
        renamed = [_OLD_TYPE.sub(r"\1ImageProcessor", text) for text in texts]
        if renamed == texts:
            return AutoImageProcessor.from_pretrained(folder, **options)
        with scratch_folder() as copy:
            for file, text in zip(files, renamed, strict=True):
                (copy / file.name).write_text(text, encoding="utf-8")
            return AutoImageProcessor.from_pretrained(copy, **options)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ImportError) as error:
        raise unreadable(name, "image processor", error) from error
