"""The job that imports datasets, and what takes up its files."""

import json

from tests import warm

ROWS = {
    "FR,Île-de-France,Paris": (48.8584, 2.2945), "FR,Auvergne-Rhône-Alpes,Lyon": (45.764, 4.8357),
    "DE,Berlin,Berlin": (52.52, 13.405), "IT,Lazio,Rome": (41.9, 12.5),
    "ES,Madrid,Madrid": (40.4168, -3.7038),
}  # fmt: skip


def test_an_imported_dataset_is_split_by_place_and_passes_the_check(tmp_path):
    their, out, store = tmp_path / "their.csv", tmp_path / "out", tmp_path / "s.db"
    rows = [
        f"{i}_{j}.jpg,{place},{y},{x + j / 1e4}"
        for i, (place, (y, x)) in enumerate(ROWS.items())
        for j in range(4)
    ]
    header = "file,country,region,city,lat,lon"
    rows = [header, *rows, "none.jpg,,,,,", "bad.jpg,FR,x,y,north,2"]
    their.write_text("\n".join(rows), encoding="utf-8")
    flags = ["--input", their, "--output_dir", out, "--db", store, "--split", "0.6", "0.2", "0.2"]
    command = ["jobs/import_dataset.py", *flags]
    done = warm.run([*command, "--on_bad_rows", "skip"])
    assert done.returncode == 0, done.stderr
    assert "format table" in done.stdout
    assert (
        "rows: 22; images: 20 in 4 countries; left out without a place: 1; bad rows skipped: 1"
        in done.stdout
    )
    csvs = [out / f"{name}.csv" for name in ("train", "val", "test")]
    assert [len(path.read_text().splitlines()) - 1 for path in csvs] == [12, 4, 4]
    assert (out / "left_out.csv").read_text().splitlines()[1].startswith("none.jpg,")
    candidates = out / "candidates.json"
    assert list(json.loads(candidates.read_text())) == ["France", "Germany", "Italy", "Spain"]
    checked = warm.run(
        ["jobs/check_data.py", "--csv", *csvs, "--candidates_file", candidates, "--db", store]
    )
    assert checked.returncode == 0, checked.stdout
    assert "All good." in checked.stdout
    again = warm.run([*command, "--on_bad_rows", "skip"])
    assert again.returncode == 2
    assert "exist already" in again.stderr
