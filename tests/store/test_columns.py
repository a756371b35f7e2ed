"""Columns against plain SQL over the rows that they stand beside."""

import json

import numpy as np
import pandas as pd
import pytest

from streetclip.errors import StoreError
from streetclip.results import DatasetTable
from streetclip.store import (
    RUN_DTYPES,
    DatasetSpec,
    Flag,
    attribute_codes,
    attribute_names,
    column_writer,
    dataset_columns,
    datasets,
    distance_bin_edges_km,
    finish_run,
    predicted_places,
    read_filenames,
    register_dataset,
    run_columns,
    write_predictions,
)
from streetclip.store.columns import count_parts, read_column
from streetclip.store.filenames import encoded, folded


def rows_of(store, run_id):
    """The predictions of a run by image id, by plain SQL."""
    frame = store.frame(
        "SELECT p.*, r.top_countries FROM predictions AS p "
        "LEFT JOIN prediction_rankings AS r USING (run_id, image_id) "
        "WHERE run_id = ? ORDER BY image_id",
        (run_id,),
    )
    return frame.set_index("image_id", drop=False)


def expected_bin(distance_km):
    if distance_km is None or np.isnan(distance_km):
        return 255
    return next(i for i, edge in enumerate(distance_bin_edges_km()) if distance_km <= edge)


def expected_flags(row):
    return (
        (row.status == "ok") * 1
        + row.country_correct * 2
        + row.city_correct * 4
        + row.country_reachable * 8
        + row.city_reachable * 16
        + (row.coordinate_source != "none") * 32
    )


def expected_margin(text):
    if not isinstance(text, str):
        return np.nan
    entries = json.loads(text)
    return entries[0][1] - entries[1][1] if len(entries) > 1 else np.nan


def check_run(store, run_id, image_ids):
    """Compare every column of a run, over these images, with its rows."""
    columns = run_columns(store, run_id, RUN_DTYPES, image_ids)
    places = predicted_places(store, run_id)
    rows = rows_of(store, run_id)
    assert list(columns["done"]) == [i in rows.index for i in image_ids]
    for position, image_id in enumerate(image_ids):
        found = {name: columns[name][position] for name in RUN_DTYPES}
        if image_id not in rows.index:
            assert (found["image_id"], found["pred_place"], found["flags"]) == (0, 0, 0)
            assert found["true_country_rank"] == 0
            assert (found["distance_bin"], found["nearest_bin"]) == (255, 255)
            continue
        row = rows.loc[image_id]
        assert found["image_id"] == image_id
        assert found["flags"] == expected_flags(row)
        assert found["distance_bin"] == expected_bin(row.distance_km)
        assert found["nearest_bin"] == expected_bin(row.nearest_candidate_km)
        assert found["true_country_rank"] == np.nan_to_num(row.true_country_rank)
        place = places.iloc[found["pred_place"]]
        if pd.isna(row.pred_country):
            assert found["pred_place"] == 0
        else:
            assert (place.country, place.city) == (row.pred_country, row.pred_city)
        np.testing.assert_equal(place.latitude_deg, row.pred_latitude_deg)
        np.testing.assert_equal(found["margin"], np.float32(expected_margin(row.top_countries)))
        for name in ("country_probability", "city_probability", "distance_km"):
            np.testing.assert_equal(float(found[name]), row[name])  # exactly
        for name in ("true_latitude_deg", "true_longitude_deg"):
            np.testing.assert_equal(found[name], np.float32(row[name]))
    for name, dtype in RUN_DTYPES.items():
        assert columns[name].dtype == dtype


def test_the_columns_of_a_partial_run_written_out_of_order_are_those_of_its_rows(filled):
    predictions = filled.predictions().sample(frac=1, random_state=5)
    image_ids = dataset_columns(filled.store, filled.dataset.id).image_ids
    check_run(filled.store, filled.run_id, image_ids)
    for batch in (predictions[90:130], predictions[3:40], predictions[30:60]):
        write_predictions(filled.store, {filled.run_id: batch})
    check_run(filled.store, filled.run_id, image_ids)


def test_a_finished_run_keeps_its_columns_sorted_and_in_few_parts(filled, monkeypatch):
    monkeypatch.setattr(column_writer, "PART_ROWS", 64)
    predictions = filled.predictions().sample(frac=1, random_state=5)
    for start in range(0, 157, 20):
        write_predictions(filled.store, {filled.run_id: predictions[start : start + 20]})
    finish_run(filled.store, filled.run_id, {})
    owner = ("run", filled.run_id)
    conn = filled.store.db.conn
    assert count_parts(conn, owner, "flags") == (3, 157)
    ids = read_column(conn, owner, "image_id", "i8")
    assert (np.diff(ids) > 0).all()
    check_run(filled.store, filled.run_id, ids)
    finish_run(filled.store, filled.run_id, {})
    assert count_parts(conn, owner, "margin") == (3, 157)


def test_places_of_a_dataset_are_those_of_its_rows(filled):
    columns = dataset_columns(filled.store, filled.dataset.id)
    expected = filled.store.rows(
        "SELECT image_id, continent, country_code, region, city FROM dataset_images "
        "WHERE dataset_id = ? ORDER BY image_id",
        (filled.dataset.id,),
    )
    found = columns.places.iloc[columns.place].itertuples(index=False, name=None)
    ids = columns.image_ids.tolist()
    assert [(i, *p) for i, p in zip(ids, found, strict=True)] == expected
    assert list(columns.places.columns) == ["continent", "country", "region", "city"]
    assert len(columns.places) == len({row[1:] for row in expected})
    assert columns.place.dtype == np.int32


def test_columns_of_a_run_spread_over_the_images_of_another_dataset(filled):
    """Two datasets share some images; ids of neither are without gaps."""
    other = register_dataset(filled.store, shifted_spec(filled))
    run_id = filled.start(name="other", dataset_id=other.id)
    predictions = filled.predictions().assign(image_id=other.image_ids)
    write_predictions(filled.store, {run_id: predictions})
    own = dataset_columns(filled.store, other.id).image_ids
    first = dataset_columns(filled.store, filled.dataset.id).image_ids
    shared = np.intersect1d(own, first)
    assert 0 < len(shared) < len(own)
    assert len(own) != own[-1] - own[0] + 1
    for image_ids in (own, first, shared, own[:0], own[::3]):
        check_run(filled.store, run_id, image_ids)


def shifted_spec(filled):
    """Another file in which about half of the names are those of the first."""
    names = [f"street/{i * 2}.jpg" for i in range(157)]
    return DatasetSpec(
        name="other",
        csv_path=filled.folder / "other.csv",
        csv_sha256="0ff",
        image_dir=filled.folder / "images",
        frame=filled.manifest.assign(image_filename=names),
        attribute_columns=("weather",),
    )


def test_flags_are_bits(filled):
    write_predictions(filled.store, {filled.run_id: filled.predictions()})
    ids = dataset_columns(filled.store, filled.dataset.id).image_ids
    flags = run_columns(filled.store, filled.run_id, ["flags"], ids)["flags"]
    correct = filled.store.rows("SELECT count(*) FROM predictions WHERE city_correct")[0][0]
    assert np.count_nonzero(flags & Flag.CITY_CORRECT) == correct > 0


def with_attributes(filled, **values):
    """A second dataset over the images of the first, with these attributes."""
    spec = DatasetSpec(
        name="attributes",
        csv_path=filled.folder / "attributes.csv",
        csv_sha256="a77",
        image_dir=filled.folder / "images",
        frame=filled.manifest.assign(**values),
        attribute_columns=tuple(values),
    )
    return register_dataset(filled.store, spec).id


def check_attribute(store, dataset_id, name):
    texts = attribute_names(store, dataset_id)[name]
    codes = attribute_codes(store, dataset_id, name)
    expected = store.rows(
        "SELECT coalesce(value, '') FROM dataset_images, json_each(attributes) "
        "WHERE dataset_id = ? AND key = ? ORDER BY image_id",
        (dataset_id, name),
    )
    assert [(texts[code],) for code in codes] == expected
    assert codes.dtype == np.uint16
    assert list(texts) == sorted(texts)


def test_attributes_are_those_of_the_rows(filled):
    check_attribute(filled.store, filled.dataset.id, "weather")
    texts = ['<b>"x"</b>', "", "=1+1", "a\nb", "שלום", "🙂", "'; DROP TABLE runs --", "[x](y)"]
    odd = {'"name": \\x': np.resize(texts, 157), "": np.resize([None, "b", ""], 157)}
    dataset_id = with_attributes(filled, **odd)
    for name in odd:
        check_attribute(filled.store, dataset_id, name)
    assert attribute_names(filled.store, dataset_id)[""] == ("", "b")


def register_names(filled, names):
    """Another dataset in the same folder: the first images have these names."""
    frame = filled.manifest.head(len(names)).assign(image_filename=names)
    spec = DatasetSpec(
        name="other",
        csv_path="other.csv",
        csv_sha256="other",
        image_dir=filled.folder / "images",
        frame=frame,
    )
    return register_dataset(filled.store, spec).id


def test_file_names_are_found_in_the_order_of_the_ids(filled, monkeypatch):
    monkeypatch.setattr(datasets, "CHUNK_ROWS", 50)  # of 157
    names = list(filled.manifest["image_filename"])
    mixed = [name if i % 3 else f"A\u0308Ö/{name.upper()}" for i, name in enumerate(names)]
    other = register_names(filled, mixed[::-1])
    for dataset_id in (filled.dataset.id, other):
        ids = dataset_columns(filled.store, dataset_id).image_ids
        sql = "SELECT filename FROM images WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id"
        found = [name for (name,) in filled.store.rows(sql, (json.dumps(ids.tolist()),))]
        # However an accent is written in the file, which macOS does in two characters.
        expected = [name.lower().replace("a\u0308", "ä") for name in found]
        of_images = read_filenames(filled.store, dataset_id, 157)
        for text in ("1", "äö", "Ä", "A\u0308", *expected[::20]):
            wanted = [text.lower().replace("a\u0308", "ä") in name for name in expected]
            assert of_images.containing(text).tolist() == wanted, text
    assert DatasetTable.open(filled.path, other).named("\u00c4o\u0308/").sum() == 53
    with pytest.raises(StoreError, match="was replaced"):
        read_filenames(filled.store, other, 157, "another")
    with pytest.raises(StoreError, match="has 157 names; expected 158"):
        read_filenames(filled.store, other, 158)


def test_names_of_any_text_are_searched_apart(filled):
    names = ["a\nb.jpg", "\u0308x", "STRASSE", "straße", "e\u0301", "\U0001f30d/x", "."]
    dataset_id = register_names(filled, names)
    of_images = read_filenames(filled.store, dataset_id, len(names))
    ids = dataset_columns(filled.store, dataset_id).image_ids
    sql = "SELECT filename FROM images WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id"
    ordered = [name for (name,) in filled.store.rows(sql, (json.dumps(ids.tolist()),))]

    def found(text):
        return {ordered[i] for i in np.flatnonzero(of_images.containing(text))}

    assert found("A\nB") == {"a\nb.jpg"}
    assert found("\u0308") == {"\u0308x"}  # no part of the name before it
    assert found("ss") == {"STRASSE", "straße"}
    assert found("\u00c9") == {"e\u0301"}
    assert found("\U0001f30d") == {"\U0001f30d/x"}
    assert found(".") == {"a\nb.jpg", "."}  # no pattern
    assert found("\0") == set()  # not the end of a name
    assert found("gs") == found("ee\u0301") == set()  # no match across two names


@pytest.mark.parametrize("seed", range(3))
def test_names_folded_together_are_those_folded_one_by_one(seed):
    draw = np.random.default_rng(seed)
    accents = [chr(code) for code in range(0x300, 0x370)]
    syllables = [chr(code) for code in (*range(0x1100, 0x1200), 0xAC00, 0x3099)]
    alphabet = [*accents, *syllables, *"aAéſßΣςİi.\n\0 ", "\ufb03", "\U0001f30d"]
    names = ["".join(draw.choice(alphabet, draw.integers(0, 6))) for _ in range(20_000)]
    apart = "".join(f"{folded(name)}\0" for name in names)
    assert encoded(names).tobytes() == apart.encode()


def test_only_attributes_with_2_to_500_values_can_be_filtered_by(make_filled):
    filled = make_filled(520)
    texts = np.array([f"v{i}" for i in range(520)])
    dataset_id = with_attributes(
        filled,
        same="x",
        each=texts,
        most=texts[np.arange(520) % 500],
        over=texts[np.arange(520) % 501],
    )
    assert set(attribute_names(filled.store, dataset_id)) == {"most"}
    check_attribute(filled.store, dataset_id, "most")
    for name in ("same", "each", "over", "none"):
        with pytest.raises(StoreError, match=f"has no attribute '{name}' with 2 to 500"):
            attribute_codes(filled.store, dataset_id, name)


def test_what_is_not_there_is_refused(filled):
    ids = np.array([1, 2])
    with pytest.raises(StoreError, match="no dataset 9"):
        dataset_columns(filled.store, 9)
    with pytest.raises(StoreError, match="no run 9"):
        run_columns(filled.store, 9, ["flags"], ids)
    with pytest.raises(ValueError, match="no column 'colour'"):
        run_columns(filled.store, filled.run_id, ["flags", "colour"], ids)
    assert attribute_names(filled.store, 9) == {}


def test_margins_are_those_that_were_given(filled):
    margins = [np.nan, 0.25, 0.09998, 0.0, 1.0]
    predictions = filled.predictions()[:5].assign(margin=margins)
    write_predictions(filled.store, {filled.run_id: predictions})
    order = np.argsort(predictions["image_id"])
    ids = predictions["image_id"].to_numpy()[order]
    found = run_columns(filled.store, filled.run_id, ["margin"], ids)["margin"]
    np.testing.assert_array_equal(found, np.array(margins, np.float32)[order])


def test_a_batch_that_fails_leaves_no_columns(filled):
    frames = {filled.run_id: filled.predictions()[:30], 99: filled.predictions()[:20]}
    with pytest.raises(StoreError, match="no run 99"):
        write_predictions(filled.store, frames)
    ids = dataset_columns(filled.store, filled.dataset.id).image_ids
    assert not run_columns(filled.store, filled.run_id, [], ids)["done"].any()
    assert len(predicted_places(filled.store, filled.run_id)) == 1


def test_probabilities_are_kept_to_float32_in_rows_too(filled):
    predictions = filled.predictions().assign(country_probability=0.1)
    write_predictions(filled.store, {filled.run_id: predictions})
    ids = dataset_columns(filled.store, filled.dataset.id).image_ids
    found = run_columns(filled.store, filled.run_id, ["country_probability"], ids)
    bound = float(np.float32(0.1))
    by_sql = "SELECT count(*) FROM predictions WHERE country_probability >= ?"
    assert filled.store.rows(by_sql, (bound,)) == [(157,)]
    assert (found["country_probability"] >= bound).all()


def test_a_finished_run_has_the_same_columns_whatever_was_written_first(filled):
    other = filled.start(name="second")
    predictions = filled.predictions()
    is_shared = (predictions.index > 60) & (predictions["status"] == "ok")
    predictions.loc[is_shared, ["pred_latitude_deg", "pred_longitude_deg"]] = 1.5
    write_predictions(filled.store, {filled.run_id: predictions})
    for part in (predictions[90:], predictions[:90].sample(frac=1, random_state=2)):
        write_predictions(filled.store, {other: part})
    image_ids = np.sort(filled.dataset.image_ids)
    before = run_columns(filled.store, other, ["pred_place"], image_ids)["pred_place"]
    for run_id in (filled.run_id, other):
        finish_run(filled.store, run_id, {})
        check_run(filled.store, run_id, image_ids)
    one, two = (
        run_columns(filled.store, run_id, RUN_DTYPES, image_ids)
        for run_id in (filled.run_id, other)
    )
    assert before.tolist() != one["pred_place"].tolist()
    for name, values in one.items():
        assert values.tobytes() == two[name].tobytes(), name
    pd.testing.assert_frame_equal(
        predicted_places(filled.store, filled.run_id), predicted_places(filled.store, other)
    )
