import dataclasses
import json

from streetclip.store import RegisteredDataset, register_dataset


def register_again(filled, **changes):
    return register_dataset(filled.store, dataclasses.replace(filled.dataset_spec, **changes))


def test_the_same_file_and_folder_get_the_same_ids(filled):
    again = register_again(filled, csv_path=filled.folder / "moved.csv")
    assert again.id == filled.dataset.id
    assert again.image_ids.tolist() == filled.dataset.image_ids.tolist()
    rows = filled.store.rows("SELECT csv_path, name, num_images, num_skipped, drawn FROM datasets")
    assert rows == [(str(filled.folder / "moved.csv"), "test", 157, 3, 1)]
    assert filled.store.rows("SELECT count(*) FROM dataset_images") == [(157,)]


def test_ids_are_aligned_with_the_rows_of_the_frame(filled):
    found = dict(filled.store.rows("SELECT id, filename FROM images"))
    names = [found[image_id] for image_id in filled.dataset.image_ids.tolist()]
    assert names == filled.manifest["image_filename"].tolist()


def test_an_image_keeps_its_id_in_another_dataset(filled):
    part = filled.manifest.iloc[[90, 4, 33]]
    other = register_again(filled, csv_sha256="0ther", frame=part)
    assert isinstance(other, RegisteredDataset)
    assert other.id != filled.dataset.id
    assert other.image_ids.tolist() == filled.dataset.image_ids[[90, 4, 33]].tolist()


def test_the_same_name_in_another_folder_is_another_image(filled):
    other = register_again(filled, image_dir=filled.folder / "others")
    assert other.id != filled.dataset.id
    assert not set(other.image_ids.tolist()) & set(filled.dataset.image_ids.tolist())


def test_a_folder_is_the_same_however_it_is_written(filled, monkeypatch):
    (filled.folder / "images").mkdir()
    (filled.folder / "link").symlink_to(filled.folder / "images")
    monkeypatch.chdir(filled.folder)
    for spelling in ("images", "images/../images", filled.folder / "link"):
        assert register_again(filled, image_dir=spelling).id == filled.dataset.id
    folders = filled.store.rows("SELECT path FROM image_folders")
    assert folders == [(str((filled.folder / "images").resolve()),)]


def test_a_file_of_which_other_rows_are_read_is_another_dataset(filled):
    other = register_again(filled, frame=filled.manifest[:150], num_skipped=10)
    assert other.id != filled.dataset.id


def test_a_file_that_is_read_otherwise_is_another_dataset(filled):
    changes = {"city": "Nuuk", "country_code": "GL", "latitude_deg": 1.5, "weather": "fog"}
    ids = {filled.dataset.id}
    for name, value in changes.items():
        frame = filled.manifest.copy()
        frame.loc[5, name] = value
        other = register_again(filled, frame=frame)
        assert other.id not in ids
        assert register_again(filled, frame=frame).id == other.id
        assert other.image_ids.tolist() == filled.dataset.image_ids.tolist()
        ids.add(other.id)
    assert register_again(filled).id == filled.dataset.id


def test_the_order_of_the_rows_is_no_other_reading(filled):
    assert register_again(filled, frame=filled.manifest[::-1]).id == filled.dataset.id


def test_rows_are_kept_as_they_were_read(filled):
    frame = filled.manifest.copy()
    frame.loc[1, ["latitude_deg", "longitude_deg"]] = float("nan")
    frame.loc[1, "weather"] = "sun & “rain” ☂"
    other = register_again(filled, csv_sha256="0ther", frame=frame)
    row = filled.store.frame(
        "SELECT * FROM dataset_images WHERE dataset_id = ? AND image_id = ?",
        (other.id, int(other.image_ids[1])),
    ).iloc[0]
    assert row["line"] == 3
    for name in ("city", "region", "country", "country_code", "continent"):
        assert row[name] == frame.loc[1, name]
    assert row["latitude_deg"] is None
    assert json.loads(row["attributes"]) == {"weather": "sun & “rain” ☂"}


def test_without_attribute_columns_there_are_no_attributes(filled):
    register_again(filled, csv_sha256="0ther", attribute_columns=())
    assert filled.store.rows(
        "SELECT DISTINCT attributes FROM dataset_images JOIN datasets ON id = dataset_id "
        "WHERE csv_sha256 = '0ther'"
    ) == [(None,)]
