import json

import numpy as np
import pandas as pd
import pytest

from streetclip.data.candidates import load_candidates
from streetclip.errors import CandidatesError
from streetclip.evaluation.true_places import find_truth
from streetclip.geo import haversine_km

CANDIDATES = {
    "France": [
        {"city": "Paris", "latitude": 48.85, "longitude": 2.35},
        {"city": "Lyon", "latitude": 45.75, "longitude": 4.85},
    ],
    "Costa Rica": [{"city": "San José", "latitude": 9.93, "longitude": -84.08}],
}


@pytest.fixture
def candidates(tmp_path):
    path = tmp_path / "candidates.json"
    path.write_text(json.dumps(CANDIDATES), encoding="utf-8")
    return load_candidates(path)


def manifest_frame(*rows):
    columns = ["country_code", "city", "latitude_deg", "longitude_deg"]
    return pd.DataFrame(rows, columns=columns).assign(region="")


def test_places_are_found_by_country_and_city(candidates):
    truth = find_truth(
        manifest_frame(
            ("FR", "lyon", np.nan, np.nan),
            ("US", "San Jose", np.nan, np.nan),
            ("CR", "San Jose", np.nan, np.nan),
            ("FR", "Nowhere-sur-Mer", 46.0, 3.0),
        ),
        candidates,
    )
    assert truth.country_N.tolist() == [0, -1, 1, 0]
    assert truth.city_N.tolist() == [1, -1, 2, -1]


def test_coordinates_come_from_the_image_then_the_city_then_nowhere(candidates):
    truth = find_truth(
        manifest_frame(
            ("FR", "Lyon", 45.0, 4.0),
            ("FR", "Lyon", np.nan, np.nan),
            ("FR", "Marseille", np.nan, np.nan),  # no candidate, but in the gazetteer
            ("FR", "Nowhere-sur-Mer", np.nan, np.nan),
            ("FR", "", np.nan, np.nan),
        ),
        candidates,
    )
    assert truth.coordinate_source_N.tolist() == ["image", "city", "city", "none", "none"]
    assert truth.latitude_deg_N[:2].tolist() == [45.0, 45.75]
    assert truth.latitude_deg_N[2] == pytest.approx(43.3, abs=0.1)
    assert np.isnan(truth.latitude_deg_N[3:]).all()


def test_the_region_tells_homonyms_apart(candidates):
    frame = manifest_frame(
        ("US", "Portland", np.nan, np.nan),
        ("US", "Portland", np.nan, np.nan),
        ("FR", "Paris", np.nan, np.nan),
    ).assign(region=["Maine", "Oregon", ""])
    truth = find_truth(frame, candidates)
    assert truth.longitude_deg_N[0] == pytest.approx(-70.3, abs=0.2)
    assert truth.longitude_deg_N[1] == pytest.approx(-122.7, abs=0.2)


def test_no_coordinates_are_those_of_another_city(tmp_path, caplog):
    path = tmp_path / "c.json"
    path.write_text(json.dumps({"US": [{"city": "Portland", "region": "Oregon"}, "Springfield"]}))
    candidates = load_candidates(path)
    caplog.clear()  # it warns of Springfield as well
    frame = manifest_frame(*[("US", name, np.nan, np.nan) for name in
                             ("Portland", "Portland", "Springfield", "Springfield")])  # fmt: skip
    frame = frame.assign(region=["Maine", "Oregon", "", "Massachusetts"])
    truth = find_truth(frame, candidates)
    assert truth.city_N.tolist() == [-1, 0, -1, -1]
    assert truth.longitude_deg_N == pytest.approx(
        [-70.3, -122.7, np.nan, -72.6], abs=0.1, nan_ok=True
    )
    assert truth.coordinate_source_N.tolist() == ["city", "city", "none", "city"]
    (record,) = caplog.records
    assert record.getMessage().startswith(
        "1 labels without coordinates fit several cities, such as 'Springfield' (US): 0 images "
        "count as the largest city of the name, 1 as none."
    )


def test_another_name_of_a_city_is_that_city(candidates):
    truth = find_truth(
        manifest_frame(("FR", "Parigi", np.nan, np.nan), ("FR", "パリ", 48.8, 2.3)), candidates
    )
    assert truth.city_N.tolist() == [0, 0]
    assert truth.latitude_deg_N.tolist() == [48.85, 48.8]


def test_nearest_candidate_may_be_of_another_country(candidates):
    # As a prediction may be: Strasbourg is nearer to Paris than to Lyon, Miami to San José.
    truth = find_truth(
        manifest_frame(
            ("FR", "Lyon", 46.0, 4.8),
            ("FR", "Cayenne", 4.92, -52.31),  # in France, nearer to Costa Rica
            ("US", "Miami", 25.77, -80.19),  # its country is no candidate
            ("FR", "", 48.85, 2.35),  # its city is unknown
            ("FR", "Nowhere-sur-Mer", np.nan, np.nan),
        ),
        candidates,
    )
    san_jose = (9.93, -84.08)
    expected = [
        float(haversine_km(46.0, 4.8, 45.75, 4.85)),
        float(haversine_km(4.92, -52.31, *san_jose)),
        float(haversine_km(25.77, -80.19, *san_jose)),
        0.0,
    ]
    assert truth.nearest_candidate_km_N[:4].tolist() == expected
    assert np.isnan(truth.nearest_candidate_km_N[4])


def test_the_manifest_is_left_as_it_was(candidates):
    frame = manifest_frame(("FR", "Lyon", np.nan, np.nan))
    before = frame.copy()
    find_truth(frame, candidates)
    pd.testing.assert_frame_equal(frame, before)


def test_candidates_of_other_countries_altogether_are_refused(candidates):
    with pytest.raises(CandidatesError, match=r"none of the true countries \(JP, …\)"):
        find_truth(manifest_frame(("JP", "Kyoto", 35.0, 135.7)), candidates)
