import numpy as np

from streetclip.store.column_writer import distance_bins
from streetclip.store.columns import distance_bin_edges_km


def test_bins_are_ascending_about_forty_a_decade():
    edges = distance_bin_edges_km()
    ratios = edges[1:] / edges[:-1]
    assert edges[0] == 0.1
    assert edges[-1] == 20_040.0
    assert len(edges) == 213
    assert ratios.min() > 1.0
    assert ratios.max() < 1.07  # 10^(1/40) = 1.059, a little more next to a moved edge


def test_a_distance_on_an_edge_lies_within_it():
    edges = distance_bin_edges_km()
    assert distance_bins(edges).tolist() == list(range(213))
    above = distance_bins(np.nextafter(edges, np.inf))
    assert above.tolist() == [*range(1, 213), 255]


def test_bins_equal_numpys():
    distance_km = 10 ** np.random.default_rng(0).uniform(-2, 4.3, 500)
    edges = distance_bin_edges_km()
    # numpy's bins hold their lower edge, these their upper one: so count from the other side.
    counts, _ = np.histogram(-distance_km, bins=[-np.inf, *-edges[::-1], np.inf])
    assert np.bincount(distance_bins(distance_km), minlength=213).tolist() == counts[:0:-1].tolist()
