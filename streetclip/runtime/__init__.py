"""Keep job records and the queue, and exchange values between processes."""

from streetclip.runtime.dead_jobs import find_dead_jobs, interrupt_dead_jobs, live_runner
from streetclip.runtime.job_lists import (
    get_job,
    list_jobs,
    runs_of_job,
    trainings_of_job,
)
from streetclip.runtime.job_specs import (
    JOB_STATES,
    RUNNER_KIND,
    STALE_AFTER_S,
    JobOrders,
    JobProgress,
    JobSpec,
    JobState,
    JobTicket,
)
from streetclip.runtime.jobs import (
    attach_job,
    beat_job,
    claim_job,
    end_job,
    enqueue_job,
    register_job,
    request_cancel,
    requeue_job,
)

__all__ = [
    "JOB_STATES",
    "RUNNER_KIND",
    "STALE_AFTER_S",
    "JobOrders",
    "JobProgress",
    "JobSpec",
    "JobState",
    "JobTicket",
    "attach_job",
    "beat_job",
    "claim_job",
    "end_job",
    "enqueue_job",
    "find_dead_jobs",
    "get_job",
    "interrupt_dead_jobs",
    "list_jobs",
    "live_runner",
    "register_job",
    "request_cancel",
    "requeue_job",
    "runs_of_job",
    "trainings_of_job",
]
