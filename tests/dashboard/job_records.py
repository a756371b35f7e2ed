"""A store with jobs in any state, kept by a process of the test's choice."""

from pathlib import Path

from streetclip.config import JOB_CONFIGS
from streetclip.config.arguments import to_arguments
from streetclip.process_identity import current_process
from streetclip.runtime import (
    JobProgress,
    JobSpec,
    beat_job,
    end_job,
    enqueue_job,
    get_job,
    list_jobs,
    register_job,
)
from streetclip.store import open_store

NEEDED = {
    "generate_captions": {"train_csv": Path("data/train.csv")},
    "train": {
        "train_csv": Path("data/train.csv"),
        "val_csv": Path("data/val.csv"),
        "image_dir": Path("data/images"),
    },
    "evaluate": {"test_csv": Path("data/test.csv"), "image_dir": Path("data/images")},
    "make_demo": {},
    "run_queue": {},
}
PROGRESS = JobProgress("train", "step", 30, 120, 2.0, {"loss": 1.25})


class Records:
    """Jobs of a working folder with `data` and `outputs`."""

    def __init__(self, folder):
        self.folder = folder
        self.path = folder / "outputs" / "streetclip.db"
        (folder / "data" / "images").mkdir(parents=True)
        for name in ("train.csv", "val.csv", "test.csv", "candidates.json"):
            (folder / "data" / name).write_text("x")

    def spec(self, kind="train", *, cwd=None, **settings):
        if kind in ("train", "evaluate", "generate_captions"):
            settings.setdefault("output_dir", Path(f"outputs/{kind}"))
        config = JOB_CONFIGS[kind](db=self.path, **(NEEDED[kind] | settings))
        return JobSpec(
            kind=kind,
            name=getattr(config, "run_name", None) or "",
            arguments=to_arguments(config),
            parameters=config.to_dict(),
            output_dir=getattr(config, "output_dir", None),
            cwd=cwd or self.folder,
        )

    def add(self, state, kind="train", *, error=None, progress=PROGRESS, outputs=(), **settings):
        """Add a job in a state, and give its id; one that runs is this process."""
        with open_store(self.path) as store:
            if state == "queued":
                return enqueue_job(store, self.spec(kind, **settings))
            ticket = register_job(store, self.spec(kind, **settings), current_process())
            if progress is not None:
                beat_job(store, ticket.job_id, ticket.attempt, progress)
            if state != "running":
                end_job(store, ticket.job_id, 1, state, error=error, outputs=outputs)
            return ticket.job_id

    def log(self, job_id, text):
        path = Path(self.get(job_id)["log_path"])
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def get(self, job_id):
        with open_store(self.path) as store:
            return get_job(store, job_id)

    def states(self):
        """By job, oldest first: its state."""
        with open_store(self.path) as store:
            jobs = list_jobs(store)
        return dict(zip(jobs["id"][::-1], jobs["state"][::-1], strict=True))


def fill(page, **texts):
    for key, text in texts.items():
        page.text_input(key=f"job_train_{key}").set_value(text)


def start_train(page, **texts):
    """Fill the form of a training and send it."""
    given = {"train_csv": "data/train.csv", "val_csv": "data/val.csv", "image_dir": "data/images"}
    fill(page, **(given | texts))
    return page.button(key="job_start").click().run()


def labels(page):
    return [each.label for each in page.button]
