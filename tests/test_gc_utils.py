import gc

import pytest

from streetclip.gc_utils import collection_paused


def test_collection_is_paused_and_comes_back_after_an_error_too():
    assert gc.isenabled()
    with collection_paused():
        assert not gc.isenabled()
        with collection_paused():
            pass
        assert not gc.isenabled()  # the outer one is not over
    assert gc.isenabled()
    with pytest.raises(ZeroDivisionError), collection_paused():
        _ = 1 / 0
    assert gc.isenabled()


def test_it_decorates_work_that_is_done_more_than_once():
    @collection_paused()
    def is_collecting():
        return gc.isenabled()

    assert [is_collecting(), is_collecting()] == [False, False]
    assert gc.isenabled()
