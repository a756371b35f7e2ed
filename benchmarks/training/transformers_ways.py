"""What people use instead: transformers' `Trainer`, and a plain loop over `CLIPModel`.

Both give the model pixels and tokens with `return_loss=True`, as transformers' own example of
CLIP training does (examples/pytorch/contrastive-image-text/run_clip.py).
"""

import contextlib
from typing import Any

import torch

from benchmarks.training.clock import StepClock
from benchmarks.training.workload import (
    BETA1,
    BETA2,
    EPSILON,
    LEARNING_RATE,
    MAX_GRAD_NORM,
    SEED,
    WARMUP_FRACTION,
    WEIGHT_DECAY,
    Workload,
)


def trainer(
    workload: dict[str, Any], work: str, *, in_memory: bool, num_workers: int = 0
) -> dict[str, Any]:
    """Train with `Trainer`; times a few steps.

    Args:
        workload: What to train on.
        work: Empty folder.
        in_memory: Preprocess all images before the first step, to float32; else in `__getitem__`.
        num_workers: The data loader's.
    """
    from transformers import Trainer, TrainerCallback

    asked = Workload.from_dict(workload)
    device, precision, model, processor = _load(asked)
    clock = StepClock(asked, device)

    class Clock(TrainerCallback):
        def on_step_end(self, args, state, control, **_):
            clock(state.global_step)

    dataset: Any = Photos(asked.rows(), processor)
    if in_memory:
        dataset = [dataset[index] for index in range(len(dataset))]
    Trainer(
        model=model,
        args=_arguments(asked, work, precision, device, num_workers),
        train_dataset=dataset,
        data_collator=Collator(processor.tokenizer),
        callbacks=[Clock()],
    ).train()
    return {"precision": precision, **clock.result()}


def plain_loop(workload: dict[str, Any], work: str) -> dict[str, Any]:
    """Train with a loop of a few lines, on one batch of noise with the first captions."""
    asked = Workload.from_dict(workload)
    device, precision, model, processor = _load(asked)
    clock = StepClock(asked, device)
    size = model.config.vision_config.image_size
    batch = Collator(processor.tokenizer)(
        [
            {"pixel_values": torch.randn(3, size, size), "text": caption}
            for _, caption in asked.rows()[: asked.step_images]
        ]
    )
    inputs = {k: v.to(device) if isinstance(v, torch.Tensor) else v for k, v in batch.items()}
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=LEARNING_RATE, betas=(BETA1, BETA2), eps=EPSILON,
        weight_decay=WEIGHT_DECAY, fused=True,
    )  # fmt: skip
    model.train()
    for step in range(1, asked.num_steps + 1):
        with _autocast(device, precision):
            loss = model(**inputs).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), MAX_GRAD_NORM)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        clock(step)
    return {"precision": precision, **clock.result()}


def flops(workload: dict[str, Any], work: str) -> dict[str, Any]:
    """Floating-point operations of a training step, for each of its images.

    Those of one forward and one backward pass, whoever does them: what a way computes twice does
    not count for it. A multiplication and an addition are two.
    """
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    asked = Workload.from_dict(workload)
    device, _, model, processor = _load(asked)
    size, rows = model.config.vision_config.image_size, asked.rows()[:4]
    batch = Collator(processor.tokenizer)(
        [{"pixel_values": torch.zeros(3, size, size), "text": caption} for _, caption in rows]
    )
    inputs = {k: v.to(device) if isinstance(v, torch.Tensor) else v for k, v in batch.items()}
    # The products of fused attention are not counted on every device; those of the plain one are.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        model(**inputs).loss.backward()
    return {"flops_per_image": counter.get_total_flops() / len(rows)}


class Photos(torch.utils.data.Dataset):
    """The usual data set: opens and preprocesses an image when it is asked for."""

    def __init__(self, rows: list[tuple[Any, str]], processor: Any) -> None:
        self._rows = rows
        self._processor = processor

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        from PIL import Image

        path, caption = self._rows[index]
        with Image.open(path) as image:
            pixels = self._processor(images=image.convert("RGB"), return_tensors="pt")
        return {"pixel_values": pixels["pixel_values"][0], "text": caption}


class Collator:
    """Stacks pixels, and pads the captions to the longest of the batch, as our training does."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer

    def __call__(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        texts = [example["text"] for example in examples]
        tokens = self._tokenizer(texts, return_tensors="pt", padding=True, truncation=True)
        pixels = torch.stack([example["pixel_values"] for example in examples])
        return {**tokens, "pixel_values": pixels, "return_loss": True}


def _load(workload: Workload) -> tuple[torch.device, str, Any, Any]:
    from transformers import AutoProcessor, CLIPModel

    from streetclip.models.precision import narrowest_tower, resolve_device, resolve_precision
    from streetclip.models.transformers_logging import quiet_transformers

    device = resolve_device(workload.device)
    with quiet_transformers():
        model = CLIPModel.from_pretrained(workload.folder / "model", dtype=torch.float32)
        processor = AutoProcessor.from_pretrained(workload.folder / "model")
    width = narrowest_tower(model.config)
    precision = resolve_precision(workload.precision, device, width).name
    return device, precision, model.to(device), processor


def _arguments(
    workload: Workload, work: str, precision: str, device: torch.device, num_workers: int
) -> Any:
    """The same optimizer, schedule, clipping and precision as ours; nothing saved or logged."""
    from transformers import TrainingArguments

    return TrainingArguments(
        output_dir=work,
        per_device_train_batch_size=workload.batch_size,
        gradient_accumulation_steps=workload.accumulation,
        max_steps=workload.num_steps,
        optim="adamw_torch_fused",
        learning_rate=LEARNING_RATE,
        weight_decay=WEIGHT_DECAY,
        adam_beta1=BETA1,
        adam_beta2=BETA2,
        adam_epsilon=EPSILON,
        max_grad_norm=MAX_GRAD_NORM,
        lr_scheduler_type="cosine",
        warmup_steps=WARMUP_FRACTION,
        bf16=precision == "bf16",
        fp16=precision == "fp16",
        use_cpu=device.type == "cpu",
        dataloader_num_workers=num_workers,
        dataloader_pin_memory=device.type == "cuda",
        dataloader_drop_last=True,
        remove_unused_columns=False,
        save_strategy="no",
        logging_strategy="no",
        report_to="none",
        disable_tqdm=True,
        seed=SEED,
    )


def _autocast(device: torch.device, precision: str) -> contextlib.AbstractContextManager[None]:
    formats = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
    return torch.autocast(device.type, dtype=formats[precision], enabled=precision != "fp32")
