import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from streetclip.geo import geoscore
from streetclip.metrics.scores import geoscores

DISTANCES = st.one_of(st.floats(0, 20_040), st.just(float("nan")), st.sampled_from([0.0, 4.0]))


@settings(deadline=None)
@given(arrays(np.float64, st.integers(0, 50), elements=DISTANCES))
def test_scores_are_those_of_geo_to_twelve_digits(distance_km):
    np.testing.assert_allclose(geoscores(distance_km), geoscore(distance_km), rtol=1e-12)


def test_a_missing_distance_scores_nothing():
    assert geoscores(np.array([np.nan, 0.0])).tolist() == [0.0, 5000.0]
