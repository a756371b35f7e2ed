"""Settings of every job, defined once for flags, forms and recipes."""

from streetclip.config.job_configs import (
    DEFAULT_CANDIDATES,
    JOB_CONFIGS,
    MODEL_SHAPES,
    STORE_VARIABLE,
    STRATEGIES,
    BenchmarkConfig,
    CandidatesConfig,
    CaptionConfig,
    CheckDataConfig,
    ClearCacheConfig,
    DemoConfig,
    EvaluateConfig,
    ExportConfig,
    RunQueueConfig,
    TrainConfig,
)
from streetclip.config.options import DEFAULT_STORE, JobConfig, option

__all__ = [
    "DEFAULT_CANDIDATES",
    "DEFAULT_STORE",
    "JOB_CONFIGS",
    "MODEL_SHAPES",
    "STORE_VARIABLE",
    "STRATEGIES",
    "BenchmarkConfig",
    "CandidatesConfig",
    "CaptionConfig",
    "CheckDataConfig",
    "ClearCacheConfig",
    "DemoConfig",
    "EvaluateConfig",
    "ExportConfig",
    "JobConfig",
    "RunQueueConfig",
    "TrainConfig",
    "option",
]
