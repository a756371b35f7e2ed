"""Write a model in a form that other programs load: a Hugging Face folder, or two ONNX graphs."""

from collections.abc import Sequence
from pathlib import Path

from jobs.support.cli import run_job
from jobs.support.record import Job
from streetclip.config import ExportConfig
from streetclip.errors import OutputError

_MARK = "streetclip.json"  # in every folder that this job writes


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job and return its exit code."""
    return run_job(ExportConfig, __doc__, argv, _export)


def _export(config: ExportConfig, job: Job) -> None:
    from streetclip.files import clear_leftovers
    from streetclip.models.checkpoints import save_folder
    from streetclip.models.loading import load_encoder
    from streetclip.models.onnx_export import check_exporter, save_onnx
    from streetclip.training.training_card import model_card

    folder, is_onnx = config.output_dir, config.format == "onnx"
    if is_onnx:
        check_exporter()
    _check_output(config)
    clear_leftovers(folder.parent)
    encoder = load_encoder(config.checkpoint_path, device="cpu", precision="fp32")
    card = model_card(encoder.training, encoder.prompts, source=encoder.source)
    if is_onnx:
        export = save_onnx(encoder, folder, model_card=card)
        message = "check  left out, as onnxruntime is not installed: pip install onnxruntime"
        if export.image_difference is not None and export.text_difference is not None:
            message = (
                f"check  features differ from torch's by at most {export.image_difference:.1e} "
                f"(images), {export.text_difference:.1e} (texts)"
            )
    else:
        save_folder(
            encoder, folder, prompts=encoder.prompts, model_card=card, training=encoder.training
        )
        message = f'use    pipeline("zero-shot-image-classification", model={str(folder)!r})'
    job.add_output(folder)
    size_mb = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
    print(f"{folder}: {size_mb:,.1f} MB\n{message}")


def _check_output(config: ExportConfig) -> None:
    """Refuse to replace a folder that is no export, or holds the model to export."""
    from streetclip.files import is_unused

    folder = config.output_dir
    if not folder.exists() or (folder.is_dir() and is_unused(folder)):
        return
    source = Path(config.checkpoint_path).expanduser().resolve()
    if not folder.is_dir():
        problem = "is a file; expected a folder. Name"
    elif not (folder / _MARK).is_file():
        problem = "holds something other than an export. Name"
    elif source.is_relative_to(folder.resolve()):
        problem = "holds the model itself. Name"
    elif not config.overwrite:
        problem = "holds an export already. Add --overwrite, or name"
    else:
        return
    msg = f"{folder}: {problem} another --output_dir."
    raise OutputError(msg)


if __name__ == "__main__":
    raise SystemExit(main())
