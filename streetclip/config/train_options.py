"""What a training may be asked for, in groups; `config.TrainConfig` is made of them."""

from dataclasses import dataclass

from streetclip.config.options import JobConfig, option

LOSSES = ("softmax", "sigmoid")
DUPLICATES = ("positive", "mask", "ignore")
NEGATIVES = ("global", "micro_batch")
SCHEDULES = ("cosine", "linear")
TRAIN_PARTS = ("full", "image", "last_blocks", "projections", "lora")
SAMPLERS = ("natural", "country_balanced")
SELECT_BY = ("accuracy", "loss")


@dataclass(frozen=True, kw_only=True)
class LossOptions(JobConfig):
    """What is contrasted with what."""

    batch_size: int = option(32, minimum=2, help="images of a forward pass, in each process")
    gradient_accumulation_steps: int = option(
        1, minimum=1, help="forward passes a step; all images of a step are contrasted together"
    )
    loss: str = option(
        "softmax", choices=LOSSES, help="softmax: CLIP's InfoNCE; sigmoid: SigLIP's, pair by pair"
    )
    duplicates: str = option(
        "positive",
        choices=DUPLICATES,
        help="images of a step with the same caption: positives of one another, left out of the "
        "contrast, or taken for negatives",
    )
    negatives: str = option(
        "global",
        choices=NEGATIVES,
        help="global: all images of a step, whatever pass or process they are in; micro_batch: "
        "those of the same forward pass, as in the authors' code",
    )


@dataclass(frozen=True, kw_only=True)
class OptimizerOptions(JobConfig):
    """How far the weights move at each step."""

    num_epochs: int = option(10, minimum=1, help="passes over the training images")
    learning_rate: float = option(1e-6, above=0, maximum=1, help="peak learning rate of AdamW")
    weight_decay: float = option(
        1e-4, minimum=0, maximum=1, help="AdamW's; none on biases, norms and the logit scale"
    )
    schedule: str = option(
        "cosine", choices=SCHEDULES, help="how the learning rate falls to 0 after its peak"
    )
    warmup_fraction: float = option(
        0.1, minimum=0, maximum=1, help="share of all steps in which the learning rate rises"
    )
    layer_decay: float = option(
        1.0,
        above=0,
        maximum=1,
        help="factor on the learning rate from each block to the one below it; 1: off",
    )
    beta2: float = option(0.98, above=0, maximum=0.99999, help="second moment of AdamW")
    max_grad_norm: float = option(1.0, above=0, help="gradients are clipped to this norm")
    ema_decay: float = option(
        0.0,
        minimum=0,
        maximum=0.99999,
        help="the model is the moving average of its weights over steps, with this decay; 0: off",
    )


@dataclass(frozen=True, kw_only=True)
class PartsOptions(JobConfig):
    """What of the model learns."""

    train_parts: str = option(
        "full",
        choices=TRAIN_PARTS,
        help="what learns: all, the image tower, the last blocks of both towers, only the "
        "projections, or low-rank adapters that are merged in the end",
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
        ("q_proj", "k_proj", "v_proj", "out_proj"), help="with lora: linear layers, by name's end"
    )
    gradient_checkpointing: bool = option(
        False, help="compute activations twice instead of keeping them: less memory, a third slower"
    )


@dataclass(frozen=True, kw_only=True)
class DataOptions(JobConfig):
    """What the model is shown."""

    exact_preprocessing: bool = option(
        False, help="decode every pixel, as transformers does; slower, hardly different"
    )
    crop_scale: float = option(
        1.0,
        above=0,
        maximum=1,
        help="random crops, stretched up to 4:3, of at least this share of the largest that fits; "
        "1: the centre crop",
    )
    colour_jitter: float = option(
        0.0, minimum=0, maximum=1, help="strength of random brightness, contrast and saturation"
    )
    horizontal_flip: float = option(
        0.0,
        minimum=0,
        maximum=1,
        help="chance of a mirrored image; it turns left-hand traffic into right-hand",
    )
    sampler: str = option(
        "natural", choices=SAMPLERS, help="each image once an epoch, or countries more alike"
    )
    sampling_temperature: float = option(
        2.0,
        minimum=1,
        help="with country_balanced: a country is shown in proportion to its number of images to "
        "the power of 1/T; 1: natural, 1000: all alike",
    )
    redraw_captions: bool = option(
        False, help="draw captions from --templates anew in each epoch, not once"
    )
    holdout_countries: tuple[str, ...] = option(
        (), help="countries kept out of training, by which lost zero-shot ability is told"
    )


@dataclass(frozen=True, kw_only=True)
class SelectionOptions(JobConfig):
    """Which weights are kept, and when to end."""

    select_by: str = option(
        "accuracy", choices=SELECT_BY, help="the best epoch: by country accuracy, or by the loss"
    )
    early_stopping: int = option(
        0, minimum=0, help="end after so many epochs that are no better than the best; 0: never"
    )
    checkpoint_every: int = option(
        0, minimum=0, help="steps between resume checkpoints inside an epoch; 0: none by steps"
    )
    checkpoint_minutes: float = option(
        15.0, minimum=0, help="minutes between resume checkpoints inside an epoch; 0: none by time"
    )
