"""Keep job records and the queue, and exchange values between processes."""

from streetclip.runtime.allowed_paths import Roots as Roots
from streetclip.runtime.allowed_paths import allowed_folders as allowed_folders
from streetclip.runtime.allowed_paths import check_job as check_job
from streetclip.runtime.dead_jobs import find_dead_jobs as find_dead_jobs
from streetclip.runtime.dead_jobs import interrupt_dead_jobs as interrupt_dead_jobs
from streetclip.runtime.dead_jobs import live_runner as live_runner
from streetclip.runtime.job_records import JOB_STATES as JOB_STATES
from streetclip.runtime.job_records import RUNNER_KIND as RUNNER_KIND
from streetclip.runtime.job_records import JobProgress as JobProgress
from streetclip.runtime.job_records import JobSpec as JobSpec
from streetclip.runtime.job_records import JobState as JobState
from streetclip.runtime.job_records import JobTicket as JobTicket
from streetclip.runtime.job_records import get_job as get_job
from streetclip.runtime.job_records import list_jobs as list_jobs
from streetclip.runtime.job_records import process_of as process_of
from streetclip.runtime.job_records import runs_of_job as runs_of_job
from streetclip.runtime.job_records import trainings_of_job as trainings_of_job
from streetclip.runtime.jobs import attach_job as attach_job
from streetclip.runtime.jobs import beat_job as beat_job
from streetclip.runtime.jobs import claim_job as claim_job
from streetclip.runtime.jobs import end_job as end_job
from streetclip.runtime.jobs import enqueue_job as enqueue_job
from streetclip.runtime.jobs import register_job as register_job
from streetclip.runtime.jobs import request_cancel as request_cancel
from streetclip.runtime.jobs import requeue_job as requeue_job
