"""Load the tokenizer and the image processor of a model folder."""

import json
import shutil
from pathlib import Path
from typing import Any

from streetclip.errors import ModelError, shown
from streetclip.files import scratch_folder
from streetclip.models.tokenizers import as_trained
from streetclip.models.transformers_logging import quiet_transformers

_CONFIG_FILE = "config.json"
_IMAGE_PROCESSOR_FILES = ("preprocessor_config.json", "processor_config.json")
_TYPE = "image_processor_type"
_OLD_SUFFIX, _SUFFIX = "FeatureExtractor", "ImageProcessor"


def read_processors(folder: Path, config: Any, name: str) -> tuple[Any, Any]:
    """Load tokenizer and image processor, without running code of the folder.

    Args:
        folder: Which holds their files.
        config: Of the model.
        name: Of the model, for messages.

    Raises:
        ModelError: One of them is damaged, or needs a package that is not installed.
    """
    with quiet_transformers():
        return _read_tokenizer(folder, config, name), _read_image_processor(folder, name)


def unreadable(name: str, part: str, error: Exception) -> ModelError:
    """Make the error about a part of a model that cannot be read."""
    return ModelError(f"{name}: its {part} cannot be read ({first_line(error)}).")


def first_line(error: BaseException) -> str:
    """The first line of an error's message, or its type."""
    text = str(error).strip() or type(error).__name__
    return shown(text.splitlines()[0])


def _read_tokenizer(folder: Path, config: Any, name: str) -> Any:
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        return as_trained(tokenizer, config, folder)
    except ImportError as error:
        msg = f"{name}: its tokenizer needs a package that is not installed "
        raise ModelError(msg + f"({first_line(error)}). Install it, then again.") from error
    except Exception as error:  # tokenizers raises bare Exception
        raise unreadable(name, "tokenizer", error) from error


def _read_image_processor(folder: Path, name: str) -> Any:
    from transformers import AutoImageProcessor

    options = {"trust_remote_code": False, "backend": "pil"}
    try:
        renamed = _renamed_types(folder)
        if not renamed:
            return AutoImageProcessor.from_pretrained(folder, **options)
        with scratch_folder() as copy:
            if (folder / _CONFIG_FILE).is_file():
                shutil.copy(folder / _CONFIG_FILE, copy)
            for file_name, content in renamed.items():
                (copy / file_name).write_text(json.dumps(content), encoding="utf-8")
            return AutoImageProcessor.from_pretrained(copy, **options)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ImportError) as error:
        raise unreadable(name, "image processor", error) from error


def _renamed_types(folder: Path) -> dict[str, Any]:
    """The image processor's files by today's class names; {} where they have these already.

    Before transformers 4.26 `CLIPImageProcessor` was `CLIPFeatureExtractor`, and so for all models.
    transformers 5 maps these names in `feature_extractor_type`, but not in `image_processor_type`.
    """
    contents = {
        name: json.loads((folder / name).read_text(encoding="utf-8"))
        for name in _IMAGE_PROCESSOR_FILES
        if (folder / name).is_file()
    }
    was_renamed = False
    for content in contents.values():
        nested = content.get("image_processor") if isinstance(content, dict) else None
        for each in (content, nested):
            if not isinstance(each, dict):
                continue
            kind = each.get(_TYPE)
            if isinstance(kind, str) and kind.endswith(_OLD_SUFFIX):
                each[_TYPE] = kind.removesuffix(_OLD_SUFFIX) + _SUFFIX
                was_renamed = True
    return contents if was_renamed else {}
