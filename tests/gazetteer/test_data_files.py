import gc

import pytest

from streetclip.gazetteer.data_files import read_geonames


def test_the_garbage_collector_is_as_it_was():
    assert gc.isenabled()
    read_geonames("us_states.json")
    assert gc.isenabled()


def test_objects_become_what_the_hook_makes_of_them():
    states = read_geonames("us_states.json", lambda row: row.get("name", row))
    assert states["TX"] == "Texas"


def test_an_unknown_file_is_missing():
    with pytest.raises(FileNotFoundError):
        read_geonames("no.json")
