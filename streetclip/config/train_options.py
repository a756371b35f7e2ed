"""Settings of a training, in groups; `TrainConfig` is made of them."""

from dataclasses import dataclass
from typing import Any

from streetclip.config.options import JobConfig, option

LOSSES = ("softmax", "sigmoid")
DUPLICATES = ("positive", "mask", "ignore")
NEGATIVES = ("global", "micro_batch")
SCHEDULES = ("cosine", "linear")
TRAIN_PARTS = ("full", "image", "last_blocks", "projections", "lora")
SAMPLERS = ("natural", "country_balanced")
SELECT_BY = ("accuracy", "loss")


def exact_preprocessing() -> Any:
    """Make the field that decides how images are decoded, in training and evaluation."""
    return option(False, help="decode every pixel, as transformers does; slower, hardly different")


@dataclass(frozen=True, kw_only=True)
class LossOptions(JobConfig):
    """Which images and captions are contrasted."""

    batch_size: int = option(32, minimum=2, help="images of a forward pass, in each process")
    gradient_accumulation_steps: int = option(1, minimum=1, help="forward passes of a step")
    loss: str = option(
        "softmax", choices=LOSSES, help="softmax: CLIP's InfoNCE; sigmoid: SigLIP's, pair by pair"
    )
    duplicates: str = option(
        "positive",
        choices=DUPLICATES,
        help="images of a step with the same caption: positives, left out, or negatives",
    )
    negatives: str = option(
        "global",
        choices=NEGATIVES,
        help="global: all images of a step; micro_batch: those of the same forward pass, as in the "
        "authors' code",
    )


@dataclass(frozen=True, kw_only=True)
class OptimizerOptions(JobConfig):
    """How the weights are updated."""

    num_epochs: int = option(10, minimum=1, help="passes over the training images")
    learning_rate: float = option(1e-6, above=0, maximum=1, help="peak learning rate of AdamW")
    weight_decay: float = option(1e-4, minimum=0, maximum=1, help="AdamW's; on matrices only")
    schedule: str = option("cosine", choices=SCHEDULES, help="decay of the learning rate to 0")
    warmup_fraction: float = option(
        0.1, minimum=0, maximum=1, help="share of all steps in which the learning rate rises"
    )
    layer_decay: float = option(
        1.0, above=0, maximum=1, help="factor on the learning rate, per block down; 1: off"
    )
    beta2: float = option(0.98, above=0, maximum=0.99999, help="second moment of AdamW")
    max_grad_norm: float = option(1.0, above=0, help="gradients are clipped to this norm")
    ema_decay: float = option(
        0.0, minimum=0, maximum=0.99999, help="decay of a moving average of the weights; 0: off"
    )


@dataclass(frozen=True, kw_only=True)
class PartsOptions(JobConfig):
    """Which parts of the model learn."""

    train_parts: str = option(
        "full",
        choices=TRAIN_PARTS,
        help="what learns: all, the image tower, the last blocks of both towers, the projections, "
        "or low-rank adapters that are merged in the end",
    )
    last_blocks: int = option(
        2, minimum=1, help="with --train_parts last_blocks: blocks of each tower that learn"
    )
    lora_rank: int = option(16, minimum=1, help="with --train_parts lora: rank of the adapters")
    lora_alpha: float = option(32.0, above=0, help="with lora: adapters count alpha / rank")
    lora_dropout: float = option(
        0.0, minimum=0, maximum=0.9, help="with lora: dropout before the adapters"
    )
    lora_modules: tuple[str, ...] = option(
        ("q_proj", "k_proj", "v_proj", "out_proj"),
        help="with lora: linear layers, by the end of the name",
    )
    gradient_checkpointing: bool = option(
        False, help="compute activations twice: less memory, a third slower"
    )


@dataclass(frozen=True, kw_only=True)
class DataOptions(JobConfig):
    """Which images and captions the model is trained on."""

    exact_preprocessing: bool = exact_preprocessing()
    crop_scale: float = option(
        1.0, above=0, maximum=1, help="least area of random crops, as a share; 1: the centre crop"
    )
    colour_jitter: float = option(
        0.0, minimum=0, maximum=1, help="strength of random brightness, contrast and saturation"
    )
    horizontal_flip: float = option(
        0.0, minimum=0, maximum=1, help="chance of mirroring; it swaps left- and right-hand traffic"
    )
    sampler: str = option(
        "natural", choices=SAMPLERS, help="each image once an epoch, or countries more evenly"
    )
    sampling_temperature: float = option(
        2.0, minimum=1, help="T: country_balanced shows counts to the power of 1/T; 1: natural"
    )
    redraw_captions: bool = option(False, help="draw captions from --templates in each epoch")
    holdout_countries: tuple[str, ...] = option(
        (), help="countries kept out of training, to measure lost zero-shot ability"
    )


@dataclass(frozen=True, kw_only=True)
class SelectionOptions(JobConfig):
    """Which weights are kept, and when to stop."""

    select_by: str = option(
        "accuracy", choices=SELECT_BY, help="select the best epoch by country accuracy or loss"
    )
    early_stopping: int = option(
        0, minimum=0, help="stop after this many epochs without improvement; 0: never"
    )
    checkpoint_every: int = option(
        0, minimum=0, help="steps between resume checkpoints inside an epoch; 0: off"
    )
    checkpoint_minutes: float = option(
        15.0, minimum=0, help="minutes between resume checkpoints inside an epoch; 0: off"
    )
