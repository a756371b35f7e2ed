"""Measure the pages on a store: script time of first views and clicks, and the memory they take.

python benchmarks/measure_dashboard.py --db PATH [--clicks 40] [--views accuracy map]

Each page is run by AppTest in a process of its own. What is timed is the script, from the
first link of the sidebar to the last chart, with all that it hands over to be sent. "First" is the
first view after the server has started, with every cache of the store's contents empty; the clicks
are changes of filters drawn at random, each of them new to the caches.
"""

import argparse
import json
import os
import random
import resource
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
VIEWS = ("overview", "accuracy", "confusion", "map", "failures", "triage", "calibration", "compare")


def main():
    arguments = _parse()
    if arguments.view:
        print(json.dumps(measure(arguments.db, arguments.view, arguments.clicks, arguments.seed)))
        return
    print(f"{'page':12} {'first':>8} {'median':>8} {'p95':>8} {'worst':>8} {'memory':>9}  (ms, MB)")
    everything = []
    for view in arguments.views:
        found = _in_a_process(arguments, view)
        warm = sorted(found["clicks_ms"])
        everything += warm
        print(
            f"{view:12} {found['first_ms']:8.0f} {_quantile(warm, 0.5):8.0f} "
            f"{_quantile(warm, 0.95):8.0f} {warm[-1]:8.0f} {found['memory_mb']:9.0f}  "
            f"worst: {found['worst']}"
        )
    everything.sort()
    print(f"{'all':12} {'':8} {_quantile(everything, 0.5):8.0f} {_quantile(everything, 0.95):8.0f}")


def _parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--db", type=Path, required=True, help="a store, as of make_big_store.py")
    parser.add_argument("--clicks", type=int, default=30, help="changes of filters for each page")
    parser.add_argument("--views", nargs="+", choices=VIEWS, default=VIEWS)
    parser.add_argument("--view", choices=VIEWS, help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def _in_a_process(arguments, view):
    command = [sys.executable, __file__, "--db", arguments.db, "--view", view]
    command += ["--clicks", str(arguments.clicks), "--seed", str(arguments.seed)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def measure(store_path, view, num_clicks, seed):
    """First view and clicks of one page, in this process."""
    sys.path.insert(0, str(ROOT))
    from streamlit.testing.v1 import AppTest
    from streamlit.util import calc_hash

    from dashboard import navigation, server

    os.environ["STREETCLIP_DB"] = str(store_path.resolve())
    sys.argv = ["Home.py"]
    pairs = confused_pairs(store_path)
    draw = random.Random(seed)
    page = AppTest.from_file(ROOT / "dashboard" / "Home.py", default_timeout=120)
    page._page_hash = calc_hash("" if view == "overview" else view)
    if view in ("compare", "overview"):
        page.query_params["baseline"] = "1"
    server.load_pages()  # as the server does when it starts
    AppTest.from_string("import streamlit as st; st.caption('')").run()  # AppTest's own first run
    timed = _Timed(navigation)
    first_ms = timed.run(page)
    clicks = []
    for _ in range(num_clicks):
        changed = click(draw, pairs)
        for name in (
            "continent",
            "country",
            "predicted",
            "km",
            "confidence",
            "attr",
            "city_is",
            "file",
            "not_country",
        ):
            page.query_params.pop(name, None)
        page.query_params.update(changed)
        clicks.append((timed.run(page), json.dumps(changed)))
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "first_ms": first_ms,
        "clicks_ms": [ms for ms, _ in clicks],
        "worst": "{:.0f} ms {}".format(*max(clicks)),
        "memory_mb": peak_kib / 1024,
    }


def confused_pairs(store_path):
    """The most frequent mistakes of the latest finished run: true and predicted country, count."""
    with sqlite3.connect(f"file:{store_path}?mode=ro", uri=True) as connection:
        return connection.execute(
            "SELECT true_country, coalesce(pred_country, ''), count(*) AS n FROM predictions "
            "WHERE run_id = (SELECT max(id) FROM runs WHERE state = 'done') "
            "AND NOT country_correct GROUP BY 1, 2 ORDER BY n DESC LIMIT 500"
        ).fetchall()


def click(draw, pairs):
    """Draw the filters of a click."""
    true_country, pred_country, _ = draw.choice(pairs)
    choices = [
        {"continent": draw.choice(["Europe", "Asia", "Africa", "North America"])},
        {"country": true_country},
        {"country": true_country, "predicted": pred_country},
        {"predicted": pred_country},
        {"confidence": f"{draw.randrange(0, 90) / 100}.."},
        {"km": f"{draw.choice([25, 200, 750, 2500])}.."},
        {"attr": f"weather={draw.choice(['rain', 'snow', 'clear', 'fog'])}"},
        {"city_is": "right", "km": f"..{draw.randrange(30, 3000)}"},
        {"file": str(draw.randrange(100, 1000))},
        {"country": [true_country, pred_country or true_country]},
        {"not_country": true_country},
    ]
    return draw.choice(choices)


class _Timed:
    """Times what the server runs for a visitor, from the first link to the last chart."""

    def __init__(self, navigation):
        self.elapsed_ms = 0.0
        run = navigation.run

        def timed():
            start = time.perf_counter()
            try:
                run()
            finally:
                self.elapsed_ms = 1000 * (time.perf_counter() - start)

        navigation.run = timed

    def run(self, page):
        """Run the script of a page once, and give the milliseconds that it took."""
        page.run()
        if page.exception:
            sys.exit(f"the page failed: {page.exception[0].message}")
        return self.elapsed_ms


def _quantile(ascending, share):
    return ascending[min(len(ascending) - 1, round(share * (len(ascending) - 1)))]


if __name__ == "__main__":
    main()
