"""Name views of the dashboard: pages with the parameters of their URLs.

A name is unique in the store, with upper and lower case distinct. Writing raises ConfigError for a
name or a view that is not allowed, and StoreError for a view that is gone.
"""

from typing import NamedTuple

from streetclip.errors import ConfigError, StoreError, shown
from streetclip.store.annotations import checked_name
from streetclip.store.connection import Store, utc_now

MOST_VIEWS = 500
LONGEST_QUERY = 20_000


class NamedView(NamedTuple):
    """A page by its path in the URL, with the query of the URL, under a name."""

    name: str
    page: str
    query: str


def list_views(store: Store) -> list[NamedView]:
    """List the named views, by name."""
    sql = "SELECT name, page, query FROM views ORDER BY name LIMIT ?"
    found = store.rows(sql, (MOST_VIEWS,))
    return sorted((NamedView(*row) for row in found), key=lambda view: view.name.casefold())


def add_view(store: Store, view: NamedView) -> None:
    """Keep a view under its name, 1 to 500 characters; at most `MOST_VIEWS` in a store."""
    name = checked_name("the name of a view", view.name)
    if len(view.query) > LONGEST_QUERY:
        msg = f"the link of this view is longer than {LONGEST_QUERY:,} characters. Filter less."
        raise ConfigError(msg)
    with store.transaction():
        if view._replace(name=name) in list_views(store):
            return  # as after a second click
        _check_free(store, name)
        if store.rows("SELECT count(*) FROM views")[0][0] >= MOST_VIEWS:
            msg = f"there are {MOST_VIEWS} named views, the most that are kept. Delete one first."
            raise ConfigError(msg)
        sql = "INSERT INTO views (name, page, query, created_at) VALUES (?, ?, ?, ?)"
        store.rows(sql, (name, view.page, view.query, utc_now()))


def rename_view(store: Store, name: str, new: str) -> None:
    """Give a view another name."""
    new = checked_name("the name of a view", new)
    with store.transaction():
        if new != name:
            _check_free(store, new)
        found = store.rows("UPDATE views SET name = ? WHERE name = ? RETURNING name", (new, name))
        _check_found(store, name, found)


def delete_view(store: Store, name: str) -> None:
    """Delete a view; what it shows stays."""
    with store.transaction():
        found = store.rows("DELETE FROM views WHERE name = ? RETURNING name", (name,))
        _check_found(store, name, found)


def _check_free(store: Store, name: str) -> None:
    if store.rows("SELECT 1 FROM views WHERE name = ?", (name,)):
        msg = f"a view is named {shown(name)} already. Choose another name, or rename that view."
        raise ConfigError(msg)


def _check_found(store: Store, name: str, found: list[tuple[str]]) -> None:
    if not found:
        msg = f"{store.path}: has no view {shown(name)} (any more). Choose one that it lists."
        raise StoreError(msg)
