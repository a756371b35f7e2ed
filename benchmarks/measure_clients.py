"""Measure clicks of several visitors at once, while an evaluation writes into the same store.

python benchmarks/measure_clients.py --db COPY_OF_A_STORE [--clients 8] [--clicks 20] [--pause 1]

The store is as of make_big_store.py, and a copy: a run is added to it. One server is started as
users do. Each client is a WebSocket that asks for pages as a browser does, and waits until the
script has finished; its clicks are filters drawn at random, most of them new to the caches. The
writer adds a run's predictions through the library, a batch at a time, as evaluate.py does.
"""

import argparse
import contextlib
import multiprocessing
import random
import sys
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
import psutil
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import connect

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks import make_big_store
from benchmarks.big_world import World, draw_images, predict
from benchmarks.measure_dashboard import VIEWS, click, confused_pairs
from streetclip.store import dataset_columns, list_runs, open_store, start_run, write_predictions
from tests.dashboard.sites import serve

_MOST_MESSAGE_BYTES = 1 << 28


class Client:
    """A visitor: a session of the server, and the seconds that its clicks took."""

    def __init__(self, address, seed, pairs):
        self._draw = random.Random(seed)
        self._pairs = pairs
        url = f"ws{address.removeprefix('http')}/_stcore/stream"
        options = {"subprotocols": ["streamlit"], "max_size": _MOST_MESSAGE_BYTES}
        self._socket = connect(url, origin=address, **options)
        self.clicks = []

    def visit(self, view, parameters):
        """Ask for a page and wait for its end; return the seconds."""
        asked = BackMsg()
        asked.rerun_script.query_string = urlencode(parameters)
        asked.rerun_script.page_name = "" if view == "overview" else view
        start = time.perf_counter()
        self._socket.send(asked.SerializeToString())
        while True:
            answer = ForwardMsg()
            answer.ParseFromString(self._socket.recv(timeout=120))
            if answer.WhichOneof("type") == "script_finished":
                return time.perf_counter() - start
            if answer.delta.new_element.WhichOneof("type") == "exception":
                sys.exit(f"{view} {parameters}: {answer.delta.new_element.exception.message}")

    def click_about(self, num_clicks, pause_s):
        """Click as often as wanted, on a page for some clicks, then on another."""
        view = self._draw.choice(VIEWS)
        self.visit(view, {})
        for _ in range(num_clicks):
            time.sleep(pause_s * self._draw.uniform(0.5, 1.5))
            if self._draw.random() < 0.25:
                view = self._draw.choice(VIEWS)
            parameters = click(self._draw, self._pairs)
            if view in ("compare", "overview"):
                parameters["baseline"] = "1"
            self.clicks.append((self.visit(view, {"run": "2"} | parameters), view, parameters))


def write_a_run(store_path, batch_size, pause_s):
    """Write predictions of a further run until the process is ended."""
    world = World(0)
    with open_store(store_path) as store:
        runs = list_runs(store)
        number, dataset_id = len(runs) + 1, int(runs["dataset_id"].iloc[0])
        image_ids = dataset_columns(store, dataset_id).image_ids
        candidates = store_path.with_suffix(".candidates.json")
        spec = make_big_store.run_spec(number, dataset_id, len(image_ids), candidates)
        run_id = start_run(store, spec)
        for chunk, start, size in make_big_store.chunks(len(image_ids)):
            images = draw_images(world, chunk, size)
            frame = predict(images, number, image_ids[start : start + size])
            for at in range(0, size, batch_size):
                write_predictions(store, {run_id: frame.iloc[at : at + batch_size]})
                time.sleep(pause_s)


def main():
    """Start the server, the writer and the clients, and print what the clicks took."""
    arguments = _parse()
    pairs = confused_pairs(arguments.db)
    context = multiprocessing.get_context("spawn")
    writing = (arguments.db, arguments.batch_size, arguments.batch_pause)
    writer = context.Process(target=write_a_run, args=writing, daemon=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        serve(arguments.db, Path(folder)) as address,
        contextlib.ExitStack() as ending,
    ):
        (server,) = psutil.Process().children()
        if arguments.batch_size:
            writer.start()
            ending.callback(writer.kill)
        clients = [Client(address, seed, pairs) for seed in range(arguments.clients)]
        threads = [
            threading.Thread(target=each.click_about, args=(arguments.clicks, arguments.pause))
            for each in clients
        ]
        start, cpu_s = time.perf_counter(), -_cpu_s(server)
        for each in threads:
            each.start()
        memory = _follow_memory(server, clients, threads)
        elapsed_s, cpu_s = time.perf_counter() - start, cpu_s + _cpu_s(server)
    clicks = sorted(
        (found for client in clients for found in client.clicks), key=lambda each: each[0]
    )
    seconds = np.array([each[0] for each in clicks])
    if len(seconds) < arguments.clients * arguments.clicks:
        sys.exit("a client ended early")
    middle, late = np.quantile(seconds, (0.5, 0.95))
    print(f"{len(clicks)} clicks of {arguments.clients} clients in {elapsed_s:.0f} s: ", end="")
    print(f"{1000 * cpu_s / len(clicks):.0f} ms of the server's CPU each, ", end="")
    print(f"median {middle:.2f} s, p95 {late:.2f} s, worst {seconds[-1]:.2f} s: {clicks[-1][1:]}")
    print(f"memory after clicks: {_spread(memory)}")
    for view in VIEWS:
        of_view = [each[0] for each in clicks if each[1] == view]
        if of_view:
            print(f"  {view:12} {np.median(of_view):.2f} s, worst {max(of_view):.2f} s")


def _follow_memory(server, clients, threads):
    """Wait for the threads; return clicks so far and MB of the server, once a second."""
    memory = []
    while any(each.is_alive() for each in threads):
        num_clicks = sum(len(client.clicks) for client in clients)
        memory.append((num_clicks, server.memory_info().rss / 2**20))
        time.sleep(1)
    return memory


def _spread(memory):
    """Write at most a dozen readings, evenly from the first to the last."""
    chosen = np.linspace(0, len(memory) - 1, min(12, len(memory))).astype(int)
    return ", ".join("{}: {:.0f} MB".format(*memory[each]) for each in chosen)


def _cpu_s(process):
    times = process.cpu_times()
    return times.user + times.system


def _parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--db", type=Path, required=True, help="a copy of a big store")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--clicks", type=int, default=20, help="of each client")
    parser.add_argument("--pause", type=float, default=1.0, help="mean seconds between clicks")
    parser.add_argument("--batch_size", type=int, default=256, help="0: nothing is written")
    parser.add_argument("--batch_pause", type=float, default=0.5, help="seconds between batches")
    return parser.parse_args()


if __name__ == "__main__":
    main()
