"""What a job is asked to do: frozen dataclasses, checked when made, saved with every run.

Each field carries its help text and its bounds, so that the command line, the dashboard's forms
and the check itself are built from one definition.
"""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from streetclip.errors import ConfigError, shown

DEFAULT_MODEL = "openai/clip-vit-large-patch14-336"
DEFAULT_STORE = Path("outputs/streetclip.db")
STORE_VARIABLE = "STREETCLIP_DB"
"""Environment variable that names another store than the default."""

DEFAULT_CANDIDATES = Path("data/candidates.json")
DEFAULT_OUTLINES = Path("data/reference/countries.json")

PRECISIONS = ("auto", "fp32", "bf16", "fp16")
STRATEGIES = ("hierarchical", "flat", "marginal")
ON_BAD_ROWS = ("fail", "skip")
LOG_LEVELS = ("debug", "info", "warning", "error")


def option(
    default: Any = dataclasses.MISSING,
    *,
    help: str,  # noqa: A002 -- argparse's word for it
    choices: tuple[str, ...] = (),
    minimum: float | None = None,
    above: float | None = None,
    maximum: float | None = None,
) -> Any:
    """Make a dataclass field with a help text and bounds.

    Args:
        default: Value when the flag is absent; leave it out for a required flag.
        help: One sentence for `--help` and for the form.
        choices: The values allowed, for text fields.
        minimum: Smallest value allowed, itself included.
        above: Bound that the value must exceed.
        maximum: Largest value allowed, itself included.
    """
    metadata = {
        "help": help,
        "choices": choices,
        "minimum": minimum,
        "above": above,
        "maximum": maximum,
    }
    return dataclasses.field(default=default, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class JobConfig:
    """What every job takes. A subclass's fields become the flags of its job.

    Attributes:
        kind: Name of the job, as its file in `jobs/`.
    """

    kind: ClassVar[str] = ""

    db: Path = option(DEFAULT_STORE, help="SQLite store: records of jobs, and what pages show")
    log_level: str = option("info", choices=LOG_LEVELS, help="how much to log on stderr")

    def __post_init__(self) -> None:
        """Check every field against its bounds.

        Raises:
            ConfigError: A value is outside what its field allows.
        """
        for field in dataclasses.fields(self):
            _check_bounds(field, getattr(self, field.name))

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON: paths as text, tuples as lists."""
        return {name: _plain(value) for name, value in dataclasses.asdict(self).items()}


@dataclass(frozen=True, kw_only=True)
class _ManifestOptions(JobConfig):
    on_bad_rows: str = option(
        "fail", choices=ON_BAD_ROWS, help="stop at bad rows, or skip, count and store them"
    )


@dataclass(frozen=True, kw_only=True)
class _CaptionOptions(_ManifestOptions):
    templates: tuple[str, ...] = option(
        ("full",), help="caption templates to draw from, by name: full, dropout, paper, or your own"
    )
    template_file: Path | None = option(
        None, help="text file of further templates, one 'name: pattern' a line"
    )


@dataclass(frozen=True, kw_only=True)
class _ComputeOptions(JobConfig):
    model_name: str = option(
        DEFAULT_MODEL, help="hub id, Hugging Face folder or .pt file of a CLIP-like dual encoder"
    )
    device: str = option("auto", help="auto, cpu, cuda, cuda:1, mps …")
    precision: str = option(
        "auto", choices=PRECISIONS, help="auto takes bf16 where the machine computes it natively"
    )
    num_workers: int = option(
        -1, minimum=-1, maximum=256, help="processes that decode images; -1: one a spare core"
    )
    run_name: str | None = option(None, help="name of this run in the store and the dashboard")
    resume: bool = option(
        False, help="go on where an interrupted run in --output_dir stopped; else start afresh"
    )


@dataclass(frozen=True, kw_only=True)
class _CacheOptions(JobConfig):
    cache_dir: Path | None = option(
        None, help="folder of image features computed before; default: features, beside the store"
    )

    @property
    def features_dir(self) -> Path:
        """Folder of the feature caches."""
        return self.cache_dir or self.db.parent / "features"


@dataclass(frozen=True, kw_only=True)
class CaptionConfig(_CaptionOptions):
    """Settings of the `generate_captions` job."""

    kind: ClassVar[str] = "generate_captions"

    train_csv: Path | None = option(None, help="manifest CSV of the training images")
    val_csv: Path | None = option(None, help="manifest CSV of the validation images")
    test_csv: Path | None = option(None, help="manifest CSV of the test images")
    output_dir: Path = option(Path("outputs/captions"), help="folder for {split}_captions.csv")
    seed: int = option(42, minimum=0, help="seed of every random choice")
    overwrite: bool = option(False, help="replace caption files that stand already")

    def __post_init__(self) -> None:
        """Check the bounds, and that there is something to caption."""
        super().__post_init__()
        if not self.inputs():
            msg = (
                "no CSV was given; expected at least one of --train_csv, --val_csv, --test_csv. "
                "Name the files to caption."
            )
            raise ConfigError(msg)

    def inputs(self) -> dict[str, Path]:
        """The CSVs that were given, by split."""
        given = {"train": self.train_csv, "val": self.val_csv, "test": self.test_csv}
        return {split: path for split, path in given.items() if path is not None}


@dataclass(frozen=True, kw_only=True)
class TrainConfig(_ComputeOptions, _CaptionOptions):
    """Settings of the `train` job."""

    kind: ClassVar[str] = "train"

    train_csv: Path = option(help="manifest or captions CSV of the training images")
    val_csv: Path = option(help="manifest or captions CSV of the validation images")
    image_dir: Path = option(help="folder that the image names are relative to")
    output_dir: Path = option(Path("outputs/training"), help="folder for checkpoints")
    batch_size: int = option(32, minimum=2, help="images a step; each is contrasted with the rest")
    num_epochs: int = option(10, minimum=1, help="passes over the training images")
    learning_rate: float = option(1e-6, above=0, maximum=1, help="peak learning rate of AdamW")
    weight_decay: float = option(
        1e-4, minimum=0, maximum=1, help="AdamW's; none on biases, norms and the logit scale"
    )
    warmup_fraction: float = option(
        0.1, minimum=0, maximum=1, help="share of all steps in which the learning rate rises"
    )
    beta2: float = option(0.98, above=0, maximum=0.99999, help="second moment of AdamW")
    max_grad_norm: float = option(1.0, above=0, help="gradients are clipped to this norm")
    checkpoint_every: int = option(
        0, minimum=0, help="steps between resume checkpoints inside an epoch; 0: none by steps"
    )
    checkpoint_minutes: float = option(
        15.0, minimum=0, help="minutes between resume checkpoints inside an epoch; 0: none by time"
    )
    seed: int = option(42, minimum=0, help="seed of every random choice")


@dataclass(frozen=True, kw_only=True)
class EvaluateConfig(_ComputeOptions, _CacheOptions, _ManifestOptions):
    """Settings of the `evaluate` job."""

    kind: ClassVar[str] = "evaluate"

    test_csv: Path = option(help="manifest CSV of the test images")
    image_dir: Path = option(help="folder that the image names are relative to")
    checkpoint_path: str | None = option(
        None, help="trained model: .pt file, Hugging Face folder or hub id; default: --model_name"
    )
    candidates_file: Path = option(
        DEFAULT_CANDIDATES, help="JSON of the countries and cities to choose from"
    )
    output_dir: Path = option(
        Path("outputs/evaluation"), help="folder for metrics.json and predictions.csv"
    )
    strategy: tuple[str, ...] = option(
        ("hierarchical",),
        choices=(*STRATEGIES, "all"),
        help="how a place is chosen; several share one pass over the images",
    )
    prompts: str = option(
        "auto",
        help="auto (the checkpoint's own, else paper), paper, full, or a JSON file",
    )
    batch_size: int = option(32, minimum=1, help="images a forward pass")
    top_k: int = option(10, minimum=1, maximum=100, help="best countries and cities to store")
    exact_preprocessing: bool = option(
        False, help="decode every pixel, as transformers does; slower, hardly different"
    )
    no_cache: bool = option(False, help="neither use nor keep computed image features")
    seed: int = option(42, minimum=0, help="seed of the bootstrap intervals")

    def __post_init__(self) -> None:
        """Check the bounds, and spell `all` out."""
        super().__post_init__()
        if "all" in self.strategy:
            object.__setattr__(self, "strategy", STRATEGIES)
        object.__setattr__(self, "strategy", tuple(dict.fromkeys(self.strategy)))

    @property
    def model_source(self) -> str:
        """What to load: the checkpoint if one is named, else the base model."""
        return self.checkpoint_path or self.model_name


@dataclass(frozen=True, kw_only=True)
class DemoConfig(JobConfig):
    """Settings of the `make_demo` job."""

    kind: ClassVar[str] = "make_demo"

    output_dir: Path = option(Path("data/demo"), help="folder for the drawn world")
    num_train: int = option(4800, minimum=1, help="training images")
    num_val: int = option(480, minimum=1, help="validation images")
    num_test: int = option(1200, minimum=1, help="test images")
    seed: int = option(42, minimum=0, help="seed of every random choice")
    num_workers: int = option(-1, minimum=-1, maximum=256, help="processes; -1: one a core")
    resume: bool = option(False, help="keep a finished world of the same settings")


@dataclass(frozen=True, kw_only=True)
class CandidatesConfig(JobConfig):
    """Settings of the `build_candidates` job."""

    kind: ClassVar[str] = "build_candidates"

    output_file: Path = option(Path("outputs/candidates.json"), help="JSON file to write")
    cities_per_country: int = option(30, minimum=1, help="most populous cities of each country")
    min_population: int = option(
        15000, minimum=500, help="smallest city; a country without one gives its largest place"
    )
    countries: tuple[str, ...] = option((), help="only these countries; default: all")
    overwrite: bool = option(False, help="replace a file that stands already")


@dataclass(frozen=True, kw_only=True)
class OutlinesConfig(JobConfig):
    """Settings of the `build_outlines` job."""

    kind: ClassVar[str] = "build_outlines"

    topojson: Path = option(help="countries-50m.json of the npm package world-atlas")
    output: Path = option(DEFAULT_OUTLINES, help="TopoJSON file to write")
    least_km2: float = option(
        120.0, minimum=0, help="a point stays if the triangle with its neighbours has this area"
    )
    least_island_km2: float = option(
        350.0, minimum=0, help="smallest island to draw; a country keeps its three largest"
    )
    overwrite: bool = option(False, help="replace an outlines file that stands already")


@dataclass(frozen=True, kw_only=True)
class CheckDataConfig(_ManifestOptions):
    """Settings of the `check_data` job."""

    kind: ClassVar[str] = "check_data"

    csv: tuple[Path, ...] = option(help="manifest CSVs to check")
    image_dir: Path | None = option(None, help="also decode every image under this folder")
    candidates_file: Path | None = option(
        None, help="also say how many of the places these candidates can name"
    )
    num_workers: int = option(-1, minimum=-1, maximum=256, help="processes that decode images")


@dataclass(frozen=True, kw_only=True)
class ClearCacheConfig(_CacheOptions):
    """Settings of the `clear_cache` job."""

    kind: ClassVar[str] = "clear_cache"

    dry_run: bool = option(False, help="only show what would be removed")


@dataclass(frozen=True, kw_only=True)
class RunQueueConfig(JobConfig):
    """Settings of the `run_queue` job."""

    kind: ClassVar[str] = "run_queue"

    max_jobs: int = option(1, minimum=1, maximum=64, help="jobs that may run at the same time")
    grace_s: float = option(
        60.0,
        minimum=0,
        maximum=86400,
        help="seconds that a cancelled job has to save and end; then TERM, as long again, KILL",
    )
    stay: bool = option(False, help="wait for further jobs when the queue is empty")


JOB_CONFIGS: dict[str, type[JobConfig]] = {
    each.kind: each
    for each in (
        CaptionConfig,
        TrainConfig,
        EvaluateConfig,
        DemoConfig,
        CandidatesConfig,
        OutlinesConfig,
        CheckDataConfig,
        ClearCacheConfig,
        RunQueueConfig,
    )
}
"""The config class of every job, by its name."""


def _check_bounds(field: "dataclasses.Field[Any]", value: Any) -> None:
    meta = field.metadata
    flag = f"--{field.name}"
    values = value if isinstance(value, tuple) else (value,)
    for each in values:
        if meta.get("choices") and each not in meta["choices"]:
            allowed = ", ".join(meta["choices"])
            msg = f"{flag} is {shown(each)}; expected one of {allowed}."
            raise ConfigError(msg)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        _check_number(flag, value, meta)


def _check_number(flag: str, value: float, meta: Any) -> None:
    expected = []
    if meta.get("minimum") is not None:
        expected.append(f"at least {meta['minimum']:g}")
    if meta.get("above") is not None:
        expected.append(f"above {meta['above']:g}")
    if meta.get("maximum") is not None:
        expected.append(f"at most {meta['maximum']:g}")
    within = (
        (meta.get("minimum") is None or value >= meta["minimum"])
        and (meta.get("above") is None or value > meta["above"])
        and (meta.get("maximum") is None or value <= meta["maximum"])
        and value == value  # noqa: PLR0124 -- NaN is in no range
    )
    if not within:
        msg = f"{flag} is {value:g}; expected {' and '.join(expected)}."
        raise ConfigError(msg)


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, (tuple, list)):
        return [_plain(each) for each in value]
    return value
