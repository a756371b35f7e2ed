"""Define the settings of a training, in the groups that make up `TrainConfig`."""

from dataclasses import dataclass
from typing import Any

from streetclip.config.options import JobConfig, option

LOSSES = ("softmax", "sigmoid")
DUPLICATES = ("positive", "mask", "ignore")
SCHEDULES = ("cosine", "linear")
TRAIN_PARTS = ("full", "image", "last_blocks", "projections", "lora")
SELECT_BY = ("accuracy", "loss")


def exact_preprocessing() -> Any:
    """Make the field `exact_preprocessing` of training and evaluation."""
    return option(False, help="decode all pixels, as transformers does; slower, nearly the same")


@dataclass(frozen=True, kw_only=True)
class LossOptions(JobConfig):
    """Loss, and the images and captions it contrasts."""

    batch_size: int = option(32, minimum=2, help="images per forward pass, in each process")
    gradient_accumulation_steps: int = option(1, minimum=1, help="forward passes per training step")
    loss: str = option(
        "softmax", choices=LOSSES, help="softmax: CLIP's InfoNCE; sigmoid: SigLIP's, pair by pair"
    )
    duplicates: str = option(
        "positive",
        choices=DUPLICATES,
        help="other images of the same caption: positives, left out (mask) or negatives (ignore)",
    )
    negatives: str = option(
        "global",
        choices=("global", "micro_batch"),
        help="captions to contrast with; global: of the step; micro_batch: of the forward pass",
    )


@dataclass(frozen=True, kw_only=True)
class OptimizerOptions(JobConfig):
    """Optimizer and learning rate."""

    num_epochs: int = option(10, minimum=1, help="passes over the training images")
    learning_rate: float = option(1e-6, above=0, maximum=1, help="peak learning rate of AdamW")
    weight_decay: float = option(1e-4, minimum=0, maximum=1, help="AdamW's, on weight matrices")
    schedule: str = option("cosine", choices=SCHEDULES, help="decay of the learning rate to 0")
    warmup_fraction: float = option(
        0.1, minimum=0, maximum=1, help="share of the steps in which the learning rate rises"
    )
    layer_decay: float = option(
        1.0, above=0, maximum=1, help="learning rate factor per block from the output; 1: off"
    )
    beta2: float = option(0.98, above=0, maximum=0.99999, help="AdamW's decay of squared gradients")
    max_grad_norm: float = option(1.0, above=0, help="norm to which gradients are clipped")
    ema_decay: float = option(
        0.0, minimum=0, maximum=0.99999, help="decay of the moving average of the weights; 0: off"
    )


@dataclass(frozen=True, kw_only=True)
class PartsOptions(JobConfig):
    """Trainable parts of the model."""

    train_parts: str = option(
        "full",
        choices=TRAIN_PARTS,
        help="what learns: all, the image tower, last blocks, projections or low-rank adapters",
    )
    last_blocks: int = option(2, minimum=1, help="with last_blocks: blocks per tower that learn")
    lora_rank: int = option(16, minimum=1, help="with lora: rank of the adapters")
    lora_alpha: float = option(32.0, above=0, help="with lora: adapters are scaled by this / rank")
    lora_dropout: float = option(
        0.0, minimum=0, maximum=0.9, help="with lora: dropout before the adapters"
    )
    lora_modules: tuple[str, ...] = option(
        ("q_proj", "k_proj", "v_proj", "out_proj"),
        help="with lora: linear layers to adapt, by name",
    )
    gradient_checkpointing: bool = option(False, help="recompute to save memory; a third slower")


@dataclass(frozen=True, kw_only=True)
class DataOptions(JobConfig):
    """Training images and captions."""

    exact_preprocessing: bool = exact_preprocessing()
    crop_scale: float = option(
        1.0, above=0, maximum=1, help="least share of the image in a random crop; 1: centre crop"
    )
    colour_jitter: float = option(
        0.0, minimum=0, maximum=1, help="largest change of brightness, contrast and saturation"
    )
    horizontal_flip: float = option(
        0.0, minimum=0, maximum=1, help="chance of mirroring, which swaps the side of the traffic"
    )
    sampler: str = option(
        "natural",
        choices=("natural", "country_balanced"),
        help="natural: each image once per epoch; country_balanced: countries more evenly",
    )
    sampling_temperature: float = option(
        2.0, minimum=1, help="T of country_balanced, which draws n images as n^(1/T); 1: natural"
    )
    redraw_captions: bool = option(False, help="draw new captions from --templates in each epoch")
    holdout_countries: tuple[str, ...] = option((), help="countries to hold out and validate apart")


@dataclass(frozen=True, kw_only=True)
class SelectionOptions(JobConfig):
    """Selection of the best epoch, stopping and checkpoints."""

    select_by: str = option(
        "accuracy", choices=SELECT_BY, help="validation measure that selects the best epoch"
    )
    early_stopping: int = option(
        0, minimum=0, help="stop after this many epochs without improvement; 0: never"
    )
    checkpoint_every: int = option(0, minimum=0, help="steps between checkpoints; 0: off")
    checkpoint_minutes: float = option(15.0, minimum=0, help="minutes between checkpoints; 0: off")
