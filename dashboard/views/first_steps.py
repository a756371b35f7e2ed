"""Draw what fills an empty store: buttons that start it here, and shell commands."""

from pathlib import Path
from typing import Final

import streamlit as st

from dashboard.shell import html, links, url_state
from dashboard.views.jobs import launcher
from dashboard.views.jobs.allowed_paths import JobOptions, job_options
from streetclip.config import DemoConfig
from streetclip.errors import StreetClipError

EVALUATE: Final = (
    "python main.py --mode evaluate --test_csv data/test.csv --image_dir data/images "
    "--checkpoint_path geolocal/StreetCLIP"
)


def draw(store_path: Path) -> None:
    """Draw the ways to a first run: as buttons where jobs may start, as commands always."""
    options = job_options(store_path)
    if options.may_start:
        st.markdown("Start here, or run one of the commands and reload this page.")
    else:
        st.markdown("Run one of these commands, then reload this page.")
    st.markdown("Synthetic demo data:")
    if options.may_start and st.button("Draw the demo data", key="start_demo", type="primary"):
        _start_demo(store_path, options)
    st.code("make demo-run", language=None, wrap_lines=True)
    st.markdown("Your own images:")
    if options.may_start:
        with st.container(horizontal=True, gap="small"):
            _form_button("Evaluate a model", "evaluate")
            _form_button("Train a model", "train")
    st.code(EVALUATE, language=None, wrap_lines=True)
    st.markdown("Another store:")
    st.code("streamlit run dashboard/Home.py -- --db PATH", language=None, wrap_lines=True)


def _form_button(label: str, form: str) -> None:
    if st.button(label, key=f"start_{form}"):
        links.go("jobs", url_state.pairs({"form": form}))


def _start_demo(store_path: Path, options: JobOptions) -> None:
    """Queue the job that draws the demo's images, and show it."""
    folder = DemoConfig().output_dir
    if not options.roots.hold(folder):
        folder = options.roots.folders[0] / folder.name
    try:
        config = DemoConfig(db=store_path, output_dir=folder, resume=True)
        job_id = launcher.enqueue(store_path, config, options)
    except StreetClipError as error:
        html.notice("Not started", str(error), css="sc-alert", role="alert")
    else:
        links.go("jobs", url_state.pairs({"job": str(job_id)}))
