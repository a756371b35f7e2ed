"""Define the settings of every job: for flags, forms, recipes and checks."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar

from streetclip.config.dataset_import import CityListOptions
from streetclip.config.dataset_import import ImportDatasetConfig as ImportDatasetConfig
from streetclip.config.options import DEFAULT_STORE as DEFAULT_STORE
from streetclip.config.options import JobConfig as JobConfig
from streetclip.config.options import ManifestOptions as _ManifestOptions
from streetclip.config.options import option as option
from streetclip.config.results_out import ExportPredictionsConfig as ExportPredictionsConfig
from streetclip.config.results_out import ReportConfig as ReportConfig
from streetclip.config.train_options import (
    DataOptions,
    LossOptions,
    OptimizerOptions,
    PartsOptions,
    SelectionOptions,
    exact_preprocessing,
)
from streetclip.errors import ConfigError

STORE_VARIABLE = "STREETCLIP_DB"  # environment variable of another store
DEFAULT_CANDIDATES = Path("data/candidates.json")
STRATEGIES = ("hierarchical", "flat", "marginal")
PREDICTION_FORMATS = (
    "streetclip", "geobench", "georanker", "g3", "imageo", "vlm", "geoestimation", "earthwhere",
    "osv5m", "geoclip", "table",
)  # fmt: skip
MODEL_SHAPES = ("vit-b-32", "vit-l-14-336")

_seed = partial(option, 42, minimum=0, help="seed of every random choice")
_num_workers = partial(option, -1, minimum=-1, maximum=256)
_image_dir = partial(option, help="folder of the images, which the CSVs name relative to it")
_candidates_file = partial(
    option, DEFAULT_CANDIDATES, help="JSON of the countries and cities to choose from"
)
_forward_batch_size = partial(option, 32, minimum=1, help="images per forward pass")


@dataclass(frozen=True, kw_only=True)
class _CaptionOptions(_ManifestOptions):
    templates: tuple[str, ...] = option(
        ("full", "full", "paper"),  # the best of eight mixtures on the demo; see docs/templates.md
        help="caption templates to draw from: full, dropout, paper, or those of --template_file; "
        "one named twice is drawn twice as often",
    )
    template_file: Path | None = option(None, help="file of templates, a 'name: pattern' per line")


@dataclass(frozen=True, kw_only=True)
class _ModelOptions(JobConfig):
    model_name: str = option(
        "openai/clip-vit-large-patch14-336",
        help="CLIP-like base model: hub id, Hugging Face folder or .pt file",
    )
    device: str = option("auto", help="where to compute: auto, cpu, cuda, cuda:1, mps …")
    precision: str = option(
        "auto",
        choices=("auto", "fp32", "bf16", "fp16"),
        help="number format to compute in; auto: the faster of bf16 and fp32 on this machine",
    )
    num_workers: int = _num_workers(help="processes that decode images; -1: one per spare core")


@dataclass(frozen=True, kw_only=True)
class _ComputeOptions(_ModelOptions):
    run_name: str | None = option(None, help="name in the store and dashboard; default: from paths")
    resume: bool = option(False, help="continue the interrupted run in --output_dir, if any")


@dataclass(frozen=True, kw_only=True)
class _CacheOptions(JobConfig):
    cache_dir: Path | None = option(
        None, help="folder of cached image features; default: features, next to the store"
    )

    @property
    def features_dir(self) -> Path:
        """Folder of the feature caches."""
        return self.cache_dir or self.db.parent / "features"


@dataclass(frozen=True, kw_only=True)
class PredictionOptions(_ModelOptions, _CacheOptions):
    """Model, candidates and way of computing of a prediction."""

    checkpoint_path: str | None = option(None, help="trained model; default: --model_name")
    candidates_file: Path = _candidates_file()
    prompts: str = option(
        "auto", help="texts of the classes: auto (the model's, else paper), paper, full or a JSON"
    )
    batch_size: int = _forward_batch_size()
    exact_preprocessing: bool = exact_preprocessing()
    no_cache: bool = option(False, help="neither read nor write cached image features")

    @property
    def model_source(self) -> str:
        """Checkpoint to load if given, else the base model."""
        return self.checkpoint_path or self.model_name


@dataclass(frozen=True, kw_only=True)
class CaptionConfig(_CaptionOptions):
    """Settings of the `generate_captions` job."""

    kind: ClassVar[str] = "generate_captions"
    train_csv: Path | None = option(None, help="manifest CSV of the training images")
    val_csv: Path | None = option(None, help="manifest CSV of the validation images")
    test_csv: Path | None = option(None, help="manifest CSV of the test images")
    output_dir: Path = option(Path("outputs/captions"), help="folder for SPLIT_captions.csv")
    seed: int = _seed()
    overwrite: bool = option(False, help="replace existing caption files")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.inputs():
            msg = "no CSV was given; name at least one of --train_csv, --val_csv, --test_csv."
            raise ConfigError(msg)

    def inputs(self) -> dict[str, Path]:
        """Return the given CSVs by split."""
        given = {"train": self.train_csv, "val": self.val_csv, "test": self.test_csv}
        return {split: path for split, path in given.items() if path is not None}


@dataclass(frozen=True, kw_only=True)
class TrainConfig(
    SelectionOptions,
    DataOptions,
    PartsOptions,
    OptimizerOptions,
    LossOptions,
    _ComputeOptions,
    _CaptionOptions,
):
    """Settings of the `train` job."""

    kind: ClassVar[str] = "train"
    takes_recipes: ClassVar[bool] = True
    train_csv: Path = option(help="manifest or captions CSV of the training images")
    val_csv: Path = option(help="manifest or captions CSV of the validation images")
    image_dir: Path = _image_dir()
    output_dir: Path = option(Path("outputs/training"), help="folder for checkpoints")
    seed: int = _seed()


@dataclass(frozen=True, kw_only=True)
class EvaluateConfig(_ComputeOptions, PredictionOptions, _ManifestOptions):
    """Settings of the `evaluate` job."""

    kind: ClassVar[str] = "evaluate"
    test_csv: Path = option(help="manifest CSV of the test images")
    image_dir: Path = _image_dir()
    output_dir: Path = option(Path("outputs/evaluation"), help="folder for metrics and predictions")
    strategy: tuple[str, ...] = option(
        ("hierarchical",),
        choices=(*STRATEGIES, "all"),
        help="hierarchical: the best country, then its best city; flat: the best of all cities; "
        "marginal: country by the sum over its cities; several share one pass over the images",
    )
    top_k: int = option(10, minimum=1, maximum=100, help="countries and cities stored per image")
    seed: int = _seed(help="stored with the run; an evaluation draws nothing at random")

    def __post_init__(self) -> None:
        super().__post_init__()
        if "all" in self.strategy:
            object.__setattr__(self, "strategy", STRATEGIES)
        object.__setattr__(self, "strategy", tuple(dict.fromkeys(self.strategy)))


@dataclass(frozen=True, kw_only=True)
class PredictConfig(PredictionOptions):
    """Settings of the `predict` job."""

    kind: ClassVar[str] = "predict"
    image_dir: Path = option(help="folder of the photos")
    recursive: bool = option(False, help="also predict the photos in its subfolders")
    output_dir: Path = option(Path("outputs/predictions"), help="folder for CSV and GeoJSON")
    top_k: int = option(5, minimum=1, maximum=100, help="countries and cities listed per photo")
    overwrite: bool = option(False, help="replace existing predictions")


@dataclass(frozen=True, kw_only=True)
class ImportPredictionsConfig(_ManifestOptions):
    """Settings of the `import_predictions` job."""

    kind: ClassVar[str] = "import_predictions"
    predictions: Path = option(help="CSV, JSON Lines or Parquet file of any model's predictions")
    test_csv: Path = option(
        help="manifest CSV of the images; or any table with labels, such as the predictions' own"
    )
    run_name: str = option(help="name of the run, such as the model's")
    format: str = option(
        "auto",
        choices=("auto", *PREDICTION_FORMATS),
        help="format of the predictions; auto: recognise it by the columns",
    )
    columns: tuple[str, ...] = option(
        (), help="columns of predictions that are called otherwise, each ROLE=COLUMN (city=place)"
    )
    truth: tuple[str, ...] = option(
        (), help="columns of labels in --test_csv if it is no manifest, each ROLE=COLUMN"
    )
    duplicates: str = option(
        "error",
        choices=("error", "first", "last"),
        help="of several rows for an image: stop, or take the first or the last",
    )
    image_dir: Path | None = option(
        None, help="folder of the images; default: as known for --test_csv, else its folder"
    )
    output_dir: Path = option(Path("outputs/import"), help="folder for metrics and predictions")


@dataclass(frozen=True, kw_only=True)
class DemoConfig(JobConfig):
    """Settings of the `make_demo` job."""

    kind: ClassVar[str] = "make_demo"
    output_dir: Path = option(Path("data/demo"), help="folder for images, CSVs and model")
    num_train: int = option(4800, minimum=1, help="number of training images")
    num_val: int = option(480, minimum=1, help="number of validation images")
    num_test: int = option(1200, minimum=1, help="number of test images")
    seed: int = _seed()
    num_workers: int = _num_workers(help="processes that draw images; -1: one per core")
    resume: bool = option(False, help="keep what was drawn with the same settings")


@dataclass(frozen=True, kw_only=True)
class CandidatesConfig(CityListOptions):
    """Settings of the `build_candidates` job."""

    kind: ClassVar[str] = "build_candidates"
    countries: tuple[str, ...] = option((), help="only these countries; default: all")
    output_file: Path = option(Path("outputs/candidates.json"), help="JSON file to write")
    overwrite: bool = option(False, help="replace an existing file")


@dataclass(frozen=True, kw_only=True)
class CheckDataConfig(_ManifestOptions):
    """Settings of the `check_data` job."""

    kind: ClassVar[str] = "check_data"
    csv: tuple[Path, ...] = option(help="manifest CSVs to check")
    image_dir: Path | None = option(None, help="also decode the images, in this folder")
    near_duplicates: bool = option(
        False, help="also find pictures of --image_dir that two of the files nearly share"
    )
    candidates_file: Path | None = option(None, help="also count the places in these candidates")
    num_workers: int = _num_workers(help="processes that decode images; -1: one per core")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.near_duplicates and (self.image_dir is None or len(set(self.csv)) < 2):  # noqa: PLR2004 -- a pair
            msg = (
                "--near_duplicates compares the pictures of several files; expected two or more "
                "with --csv, and their folder with --image_dir."
            )
            raise ConfigError(msg)


@dataclass(frozen=True, kw_only=True)
class ClearCacheConfig(_CacheOptions):
    """Settings of the `clear_cache` job."""

    kind: ClassVar[str] = "clear_cache"
    dry_run: bool = option(False, help="list the caches, remove none")


@dataclass(frozen=True, kw_only=True)
class BenchmarkConfig(_ModelOptions):
    """Settings of the `benchmark` job."""

    kind: ClassVar[str] = "benchmark"
    model_shape: str = option(
        "own",
        choices=("own", *MODEL_SHAPES),
        help="own: --model_name; else random weights of that shape",
    )
    image_dir: Path | None = option(None, help="folder of photos, subfolders included")
    test_csv: Path | None = option(None, help="manifest of the photos, to measure accuracy too")
    synthetic: int = option(
        0, minimum=0, maximum=16384, help="instead of photos, draw JPEGs of this side in pixels"
    )
    num_images: int = option(400, minimum=1, help="images per pass; fewer photos are repeated")
    candidates_file: Path = _candidates_file()
    batch_size: int = _forward_batch_size()
    rounds: int = option(3, minimum=1, help="repetitions of all measurements")
    num_labels: int = option(200, minimum=2, help="labels for transformers' zero-shot pipeline")
    pipeline_images: int = option(4, minimum=0, help="images for transformers' pipeline; 0: none")
    peak_tflops: float = option(0.0, minimum=0, help="peak of the device in TFLOP/s; 0: unknown")
    estimate: int = option(1_000_000, minimum=1, help="images to estimate the total time of")
    output: Path = option(Path("outputs/benchmark.json"), help="JSON file for all figures")
    overwrite: bool = option(False, help="replace an existing output")

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.image_dir is None) == (self.synthetic == 0):
            found = "neither is" if self.image_dir is None else "both are"
            msg = f"of --image_dir and --synthetic {found} given; expected one of them."
            raise ConfigError(msg)
        if self.test_csv is not None and self.image_dir is None:
            msg = "--test_csv is given without --image_dir; name the folder of its images."
            raise ConfigError(msg)


@dataclass(frozen=True, kw_only=True)
class ExportConfig(JobConfig):
    """Settings of the `export` job."""

    kind: ClassVar[str] = "export"
    checkpoint_path: str = option(help="the model: .pt file, Hugging Face folder or hub id")
    output_dir: Path = option(Path("outputs/export"), help="folder to write")
    format: str = option(
        "huggingface",
        choices=("huggingface", "onnx"),
        help="huggingface: folder for transformers; onnx: one graph for images, one for texts",
    )
    overwrite: bool = option(False, help="replace an existing export")


@dataclass(frozen=True, kw_only=True)
class RunQueueConfig(JobConfig):
    """Settings of the `run_queue` job."""

    kind: ClassVar[str] = "run_queue"
    max_jobs: int = option(1, minimum=1, maximum=64, help="jobs that may run at the same time")
    grace_s: float = option(
        60.0,
        minimum=0,
        maximum=86400,
        help="seconds until TERM is sent to a cancelled job, and as many again until KILL",
    )
    root: tuple[Path, ...] = option(
        (), help="folders that jobs may read and write; default: data, outputs and the store's"
    )
    stay: bool = option(False, help="keep waiting for jobs when the queue is empty")


@dataclass(frozen=True, kw_only=True)
class BackupStoreConfig(JobConfig):
    """Settings of the `backup_store` job."""

    kind: ClassVar[str] = "backup_store"
    is_recorded: ClassVar[bool] = False
    output: Path | None = option(None, help="new file for the backup")
    annotations_only: bool = option(False, help="write tags, notes and statuses alone, as JSON")
    restore: Path | None = option(
        None,
        help="instead, restore this file: a backup into a --db that does not exist, annotations "
        "into the images of --db with the same content",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.output is None) == (self.restore is None):
            found = "neither is" if self.output is None else "both are"
            msg = f"of --output and --restore {found} given; expected one of them."
            raise ConfigError(msg)


@dataclass(frozen=True, kw_only=True)
class CheckStoreConfig(JobConfig):
    """Settings of the `check_store` job."""

    kind: ClassVar[str] = "check_store"
    is_recorded: ClassVar[bool] = False
    repair: bool = option(False, help="repair what can be, after a backup next to the store")


JOB_CONFIGS: dict[str, type[JobConfig]] = {
    each.kind: each
    for each in (
        CaptionConfig,
        TrainConfig,
        EvaluateConfig,
        ImportPredictionsConfig,
        PredictConfig,
        DemoConfig,
        CandidatesConfig,
        ImportDatasetConfig,
        CheckDataConfig,
        ClearCacheConfig,
        BenchmarkConfig,
        ExportConfig,
        RunQueueConfig,
        BackupStoreConfig,
        CheckStoreConfig,
        ReportConfig,
        ExportPredictionsConfig,
    )
}
