"""Read and change the views that people name."""

from pathlib import Path
from typing import Final

from dashboard.queries.run_queries import has_store
from dashboard.queries.store_state import cached_by_stamp, reader
from dashboard.shell import rights
from streetclip import store
from streetclip.errors import ConfigError
from streetclip.store import NamedView, open_store

ADD, RENAME, DELETE = "add", "rename", "delete"

_BUSY_S: Final = 10.0  # for another writer, while a visitor waits for the page


@cached_by_stamp(max_entries=4)
def listed(store_path: Path) -> list[NamedView]:
    """List the named views, by name; none where there is no store yet."""
    if not has_store(store_path):
        return []
    with store.explained(store_path), reader(store_path) as opened:
        return store.list_views(opened)


def may_change(store_path: Path) -> bool:
    """Check whether the visitor may name, rename and delete views."""
    return rights.may_annotate() and has_store(store_path) and not rights.is_store_read_only()


def change(store_path: Path, kind: str, view: NamedView, name: str = "") -> None:
    """Add or delete a view, or give it another name.

    Raises:
        ConfigError: The name is not allowed or taken, or the visitor may not name views.
        StoreError: The view or the store is gone.
        ResourceError: The disk is full, or a job keeps the store locked.
    """
    if not may_change(store_path):
        msg = "Your link or this store does not allow to name views. Ask who started the dashboard."
        raise ConfigError(msg)
    with (
        store.explained(store_path),
        open_store(store_path, must_exist=True, busy_timeout_s=_BUSY_S) as opened,
    ):
        if kind == ADD:
            store.add_view(opened, view)
        elif kind == RENAME:
            store.rename_view(opened, view.name, name)
        elif kind == DELETE:
            store.delete_view(opened, view.name)
