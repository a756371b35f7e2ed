"""The right of a visitor, as the server hands it to a page."""

from types import SimpleNamespace

import pytest

from dashboard.shell import rights
from dashboard.shell.rights import HEADER, Right

RIGHT_OF_VISITOR = rights.right_of_visitor  # before the fixtures replace it


@pytest.mark.parametrize("right", list(Right))
def test_a_connection_has_the_right_that_the_server_gave_it(monkeypatch, right):
    client = SimpleNamespace(headers=[("host", "localhost"), (HEADER, str(int(right)))])
    monkeypatch.setattr("streamlit.runtime.context._get_client_context", lambda: client)
    assert RIGHT_OF_VISITOR() is right


def test_who_closes_the_connection_while_the_page_acts_gains_no_right(monkeypatch):
    monkeypatch.setattr("streamlit.runtime.context._get_client_context", lambda: None)
    assert RIGHT_OF_VISITOR() is Right.LOOK
    monkeypatch.setattr(rights, "right_of_visitor", RIGHT_OF_VISITOR)
    assert not rights.may_annotate()
    assert not rights.may_run_jobs()
