"""A training whose store is deleted is brought into another one by a resume."""

import pytest

from streetclip.store import list_trainings, open_store

from .conftest import curves_of, run_training, stop_at, weights
from .test_resume import assert_equal_to


@pytest.fixture
def whole(undisturbed):
    return undisturbed("fp32")


@pytest.fixture
def precision():
    return "fp32"


def remove(db):
    for suffix in ("", "-wal", "-shm"):
        db.with_name(f"{db.name}{suffix}").unlink(missing_ok=True)


def test_one_that_was_stopped_goes_on_with_all_of_its_curves(world, whole):
    stop = stop_at(6)

    def lose(done, total, **numbers):
        if done == 6:
            remove(world.config().db)
        stop(done, total, **numbers)

    with pytest.raises(KeyboardInterrupt):
        run_training(world.config(), lose)
    config = world.config(resume=True, db=world.folder / "new.db")
    assert_equal_to(whole, config, *run_training(config))


@pytest.mark.parametrize("settings", [{}, {"early_stopping": 1, "num_epochs": 6}])
def test_one_that_is_finished_is_recorded_with_all_of_its_curves(world, settings):
    first = world.config(**settings)
    result, encoder = run_training(first)
    trainings, curves = curves_of(first)
    remove(first.db)
    before = {path: path.read_bytes() for path in first.output_dir.glob("*.pt")}
    config = world.config(resume=True, db=world.folder / "new.db", **settings)
    again, _ = run_training(config)
    assert again.was_finished
    assert (again.epochs, again.best) == (result.epochs, result.best)
    found, found_curves = curves_of(config)
    assert found_curves.equals(curves)
    for name in ("state", "best"):
        assert found[name].tolist() == trainings[name].tolist()
    assert {path: path.read_bytes() for path in first.output_dir.glob("*.pt")} == before
    run_training(config)
    with open_store(config.db) as opened:
        assert len(list_trainings(opened)) == 1
    assert weights(encoder)
