"""Write a model in a form that other programs load: a Hugging Face folder, or two ONNX graphs."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from jobs.cli import OneLineParser, build_config_parser, run_job
from jobs.record import Job
from streetclip.config import ExportConfig
from streetclip.errors import OutputError

if TYPE_CHECKING:
    from streetclip.models.onnx_export import OnnxExport

_MARK = "streetclip.json"
"""Stands in every folder that this job writes."""


def build_parser() -> OneLineParser:
    """Make the parser; its flags are the fields of `ExportConfig`."""
    return build_config_parser(ExportConfig, __doc__ or "")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job and return its exit code."""
    return run_job(build_parser(), ExportConfig, argv, _export)


def _export(config: ExportConfig, job: Job) -> None:
    from streetclip.files import clear_leftovers
    from streetclip.models import load_encoder, save_folder
    from streetclip.models.onnx_export import check_exporter, save_onnx
    from streetclip.training.training_card import model_card

    if config.format == "onnx":
        check_exporter()
    _check_output(config)
    clear_leftovers(config.output_dir.parent)
    encoder = load_encoder(config.checkpoint_path, device="cpu", precision="fp32")
    card = model_card(encoder.training, encoder.prompts, source=encoder.source)
    if config.format == "onnx":
        _print_onnx(config.output_dir, save_onnx(encoder, config.output_dir, model_card=card))
    else:
        save_folder(
            encoder,
            config.output_dir,
            prompts=encoder.prompts,
            model_card=card,
            training=encoder.training,
        )
        _print_huggingface(config.output_dir)
    job.add_output(config.output_dir)


def _check_output(config: ExportConfig) -> None:
    """Refuse to replace what is no export, or holds the model that is to be exported.

    Raises:
        OutputError: It is so, or `--overwrite` is not given.
    """
    folder = config.output_dir
    if not folder.exists():
        return
    if not folder.is_dir():
        msg = f"{folder}: is a file; expected a folder. Name another --output_dir."
        raise OutputError(msg)
    if not any(folder.iterdir()):
        return
    source = Path(config.checkpoint_path).expanduser().resolve()
    if not (folder / _MARK).is_file() or source.is_relative_to(folder.resolve()):
        what = "the model itself" if (folder / _MARK).is_file() else "something else than an export"
        msg = f"{folder}: holds {what}. Name another --output_dir."
        raise OutputError(msg)
    if not config.overwrite:
        msg = f"{folder}: holds an export already. Give --overwrite, or name another --output_dir."
        raise OutputError(msg)


def _print_huggingface(folder: Path) -> None:
    print(f"{folder}: {_size_mb(folder):,.1f} MB")
    print(f'use    pipeline("zero-shot-image-classification", model={str(folder)!r})')


def _print_onnx(folder: Path, export: "OnnxExport") -> None:
    print(f"{folder}: {_size_mb(folder):,.1f} MB")
    if export.image_difference is None or export.text_difference is None:
        print("check  left out, as onnxruntime is not installed: pip install onnxruntime")
        return
    image, text = f"{export.image_difference:.1e}", f"{export.text_difference:.1e}"
    print(f"check  features differ from torch's by at most {image} (images), {text} (texts)")


def _size_mb(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


if __name__ == "__main__":
    raise SystemExit(main())
