"""A world of 200 real countries for `make_big_store`: where images are, what models make of them.

Everything is drawn from a seed and the number of the chunk, so that runs see the same images
without anybody keeping them. Shapes: N images of a chunk, C countries, M cities.
"""

import json
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from streetclip import gazetteer
from streetclip.geo import haversine_km

NUM_COUNTRIES = 200
CITIES_PER_COUNTRY = 30
CANDIDATES_PER_COUNTRY = 24  # the smaller cities cannot be named
NUM_STRANGERS = 2  # countries that no candidate names
WEATHER = ("clear", "cloudy", "rain", "snow", "fog")
WEATHER_SHARES = (0.42, 0.33, 0.15, 0.06, 0.04)
WEATHER_PENALTIES = np.array([0.0, 0.1, 0.4, 0.5, 1.2])
SEASONS = ("spring", "summer", "autumn", "winter")
REGIONS = ("Centre", "North", "East", "South", "West")
SHARE_UNREADABLE, SHARE_OF_CITY, SHARE_WITHOUT_COORDINATES = 0.002, 0.02, 0.01

_TRUTH, _RUN = 0, 1  # streams of random numbers


class World:
    """The countries and cities, and which of them a model takes for which."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        rng = np.random.default_rng([seed, 99])
        chosen = sorted(
            (each for each in gazetteer.countries().values() if self._cities(each.code)),
            key=lambda each: -each.population,
        )[:NUM_COUNTRIES]
        self.countries = sorted(chosen, key=lambda each: each.code)
        self.codes = np.array([each.code for each in self.countries], dtype=object)
        cities = [city for each in self.countries for city in self._cities(each.code)]
        counts = [len(self._cities(code)) for code in self.codes]
        self.first_city_C = np.cumsum([0, *counts])
        self.country_M = np.repeat(np.arange(len(self.codes)), counts)
        self.rank_M = np.arange(len(cities)) - self.first_city_C[self.country_M]
        self.city_M = np.array([city.name for city in cities], dtype=object)
        self.latitude_M = np.array([city.latitude_deg for city in cities])
        self.longitude_M = np.array([city.longitude_deg for city in cities])
        self.region_M = self._regions()
        strangers = np.argsort([each.population for each in self.countries])[:NUM_STRANGERS]
        self.country_is_candidate_C = ~np.isin(np.arange(len(self.codes)), strangers)
        self.city_is_candidate_M = (self.rank_M < CANDIDATES_PER_COUNTRY) & (
            self.country_is_candidate_C[self.country_M]
        )
        # Unlike populations, but by far not alike; the capital has most of its country's images.
        sizes = np.array([max(each.population, 1) for each in self.countries]) ** 0.35
        weights = sizes[self.country_M] / (1 + self.rank_M) ** 0.7
        self.cumulated_M = np.cumsum(weights / weights.sum())
        self.difficulty_C = rng.normal(0, 0.7, len(self.codes))

    @staticmethod
    def _cities(code: str) -> list[gazetteer.City]:
        return gazetteer.most_populous_cities(code, CITIES_PER_COUNTRY)

    def _regions(self) -> np.ndarray:
        """Each city's part of its country: north of the middle of its cities, or so."""
        middle = [
            np.array([values[self.country_M == i].mean() for i in range(len(self.codes))])
            for values in (self.latitude_M, self.longitude_M)
        ]
        north = self.latitude_M - middle[0][self.country_M]
        east = self.longitude_M - middle[1][self.country_M]
        part = np.where(
            np.hypot(north, east) < 1,
            0,
            np.where(np.abs(north) > np.abs(east), np.where(north > 0, 1, 3), 2 + 2 * (east < 0)),
        )
        return np.array(REGIONS, dtype=object)[part]

    @cached_property
    def confusion_C(self) -> np.ndarray:
        """For each country, the cumulated chances that a mistake goes to each other one."""
        first = self.first_city_C[:-1]
        km = haversine_km(
            self.latitude_M[first, None],
            self.longitude_M[first, None],
            self.latitude_M[first],
            self.longitude_M[first],
        )
        continent = np.array([each.continent for each in self.countries])
        neighbours = np.array(
            [[b.code in a.neighbours for b in self.countries] for a in self.countries]
        )
        chance = 0.02 + np.exp(-km / 700) + 0.25 * (continent[:, None] == continent) + neighbours
        # What they look like, not how many live there, makes some countries magnets for mistakes.
        chance *= np.random.default_rng([self.seed, 98]).lognormal(0, 0.6, len(self.codes))
        chance[:, ~self.country_is_candidate_C] = 0
        np.fill_diagonal(chance, 0)
        cumulated = np.cumsum(chance, axis=1)
        return cumulated / cumulated[:, -1:]

    @cached_property
    def nearest_candidate_M(self) -> np.ndarray:
        """For each city, the nearest city of its country that is a candidate; −1 for none."""
        nearest = np.full(len(self.city_M), -1)
        for i in np.flatnonzero(self.country_is_candidate_C):
            of_country = np.arange(self.first_city_C[i], self.first_city_C[i + 1])
            named = of_country[self.city_is_candidate_M[of_country]]
            km = haversine_km(
                self.latitude_M[of_country, None],
                self.longitude_M[of_country, None],
                self.latitude_M[named],
                self.longitude_M[named],
            )
            nearest[of_country] = named[km.argmin(axis=1)]
        return nearest

    def mistaken_for(self, country_N: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """For each image of these countries, another country that a model may name."""
        flat = (np.arange(len(self.codes))[:, None] + self.confusion_C).ravel()
        drawn = np.searchsorted(flat, country_N + rng.random(len(country_N)), side="right")
        return np.minimum(drawn, flat.size - 1) % len(self.codes)

    def city_of(self, country_N: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """A candidate city of each of these countries, larger ones more often."""
        first = self.first_city_C[country_N]
        count = np.minimum(self.first_city_C[country_N + 1] - first, CANDIDATES_PER_COUNTRY)
        return first + (rng.random(len(country_N)) ** 2 * count).astype(np.int64)

    def write_candidates(self, path) -> None:
        """Write the candidates JSON that such a run would have used."""
        of_country = {}
        for city in np.flatnonzero(self.city_is_candidate_M):
            place = {
                "city": self.city_M[city],
                "latitude": self.latitude_M[city],
                "longitude": self.longitude_M[city],
            }
            name = self.countries[self.country_M[city]].name
            of_country.setdefault(name, []).append(place)
        path.write_text(json.dumps(of_country, ensure_ascii=False), encoding="utf-8")


@dataclass(frozen=True)
class Images:
    """The truth about a chunk of N images."""

    world: World
    chunk: int
    city_N: np.ndarray
    latitude_N: np.ndarray  # as the manifest gives it, NaN where it does not
    longitude_N: np.ndarray
    source_N: np.ndarray  # 0 image, 1 city, 2 none
    weather_N: np.ndarray
    season_N: np.ndarray
    latent_N: np.ndarray  # how easy a picture is, for every model
    unreadable_N: np.ndarray

    @property
    def country_N(self) -> np.ndarray:
        return self.world.country_M[self.city_N]


def draw_images(world: World, chunk: int, size: int) -> Images:
    """The images of a chunk, the same at every call."""
    rng = np.random.default_rng([world.seed, _TRUTH, chunk])
    city = np.minimum(np.searchsorted(world.cumulated_M, rng.random(size)), len(world.city_M) - 1)
    u = rng.random(size)
    without = u < SHARE_WITHOUT_COORDINATES
    of_city = ~without & (u < SHARE_WITHOUT_COORDINATES + SHARE_OF_CITY)
    latitude = np.clip(world.latitude_M[city] + rng.normal(0, 0.06, size), -89, 89)
    longitude = (world.longitude_M[city] + rng.normal(0, 0.08, size) + 180) % 360 - 180
    season = rng.integers(0, len(SEASONS), size)
    weather = np.searchsorted(np.cumsum(WEATHER_SHARES), rng.random(size) * 0.999)
    return Images(
        world=world,
        chunk=chunk,
        city_N=city,
        latitude_N=np.where(without | of_city, np.nan, latitude.round(5)),
        longitude_N=np.where(without | of_city, np.nan, longitude.round(5)),
        source_N=np.where(without, 2, np.where(of_city, 1, 0)),
        weather_N=weather,
        season_N=season,
        latent_N=rng.normal(0, 1, size),
        unreadable_N=rng.random(size) < SHARE_UNREADABLE,
    )


def predict(images: Images, run: int, image_ids: np.ndarray) -> pd.DataFrame:
    """What run number `run` made of a chunk, as the store takes it; later runs are better."""
    world, size = images.world, len(images.city_N)
    rng = np.random.default_rng([world.seed, _RUN + run, images.chunk])
    true, readable = images.country_N, ~images.unreadable_N
    ease = 0.25 + 0.75 * run - world.difficulty_C[true] - WEATHER_PENALTIES[images.weather_N]
    ease += 1.2 * images.latent_N + 0.7 * rng.logistic(0, 1, size)
    right = (ease > 0) & world.country_is_candidate_C[true]
    pred = np.where(right, true, world.mistaken_for(true, rng))
    reachable = world.city_is_candidate_M[images.city_N]
    city_correct = right & reachable & (ease + rng.logistic(0, 1, size) > 1.2 - 0.3 * run)
    city = world.city_of(pred, rng)
    other = city == images.city_N  # the right city only where it is meant
    city = np.where(city_correct, images.city_N, np.where(other, world.first_city_C[pred], city))
    city_correct = city == images.city_N
    sure = 0.9 * ease + rng.normal(0.2, 0.8, size) + np.where(right, 0.0, 1.0)
    probability = np.clip(1 / (1 + np.exp(-sure)), 0.02, 0.9998).round(5).astype(np.float32)
    second = np.where(~right & (rng.random(size) < 0.5), true, world.mistaken_for(pred, rng))
    second_probability = np.minimum((1 - probability) * rng.beta(4, 3, size), probability * 0.98)
    truth = _truth_columns(images, image_ids)
    predicted = {
        "status": _texts(("ok", "unreadable"), images.unreadable_N),
        "error": _texts(("image file is truncated",), np.where(readable, -1, 0)),
        "pred_country": _texts(world.codes, np.where(readable, pred, -1)),
        "pred_city": _city_texts(world, np.where(readable, city, -1)),
        "country_correct": (right & readable).astype(np.int64),
        "city_correct": (city_correct & readable).astype(np.int64),
        "country_probability": np.where(readable, probability, np.nan),
        "city_probability": np.where(readable, rng.beta(2, 3, size).astype(np.float32), np.nan),
        "true_country_rank": _rank(right, second == true, rng, len(world.codes)).where(
            readable & world.country_is_candidate_C[true]
        ),
        "true_city_rank": _rank(city_correct, city_correct, rng, CANDIDATES_PER_COUNTRY).where(
            readable & reachable
        ),
        "pred_latitude_deg": np.where(readable, world.latitude_M[city], np.nan),
        "pred_longitude_deg": np.where(readable, world.longitude_M[city], np.nan),
        "margin": np.where(readable, _rounded(probability) - _rounded(second_probability), np.nan),
        "top_countries": _rankings(world, pred, probability, second, second_probability, readable),
        "top_cities": _city_rankings(world, city, readable),
    }
    frame = pd.DataFrame(truth | predicted)
    frame["distance_km"] = haversine_km(
        frame["pred_latitude_deg"], frame["pred_longitude_deg"],
        frame["true_latitude_deg"], frame["true_longitude_deg"],
    )  # fmt: skip
    return frame


def _truth_columns(images: Images, image_ids: np.ndarray) -> dict[str, object]:
    world, city = images.world, images.city_N
    of_city = images.source_N == 1
    latitude = np.where(of_city, world.latitude_M[city], images.latitude_N)
    longitude = np.where(of_city, world.longitude_M[city], images.longitude_N)
    nearest = world.nearest_candidate_M[city]
    nearest_km = haversine_km(
        latitude, longitude, world.latitude_M[nearest], world.longitude_M[nearest]
    )
    return {
        "image_id": image_ids,
        **{f"true_{name}": column for name, column in place_columns(world, city).items()},
        "country_reachable": world.country_is_candidate_C[images.country_N].astype(np.int64),
        "city_reachable": world.city_is_candidate_M[city].astype(np.int64),
        "true_latitude_deg": latitude,
        "true_longitude_deg": longitude,
        "coordinate_source": _texts(("image", "city", "none"), images.source_N),
        "nearest_candidate_km": np.where(nearest < 0, np.nan, nearest_km),
    }


def place_columns(world: World, city_N: np.ndarray) -> dict[str, pd.Categorical]:
    """Continent, country (ISO code), region and city of images, without a text for each."""
    country = world.country_M[city_N]
    return {
        "continent": _texts([each.continent for each in world.countries], country),
        "country": _texts(world.codes, country),
        "region": _texts(world.region_M, city_N),
        "city": _city_texts(world, city_N),
    }


def country_names(world: World, city_N: np.ndarray) -> pd.Categorical:
    """The countries of images as a CSV writes them."""
    return _texts([each.name for each in world.countries], world.country_M[city_N])


def attribute_columns(images: Images) -> dict[str, pd.Categorical]:
    """The attributes of images."""
    return {
        "weather": _texts(WEATHER, images.weather_N),
        "season": _texts(SEASONS, images.season_N),
    }


def _city_texts(world: World, city_N: np.ndarray) -> pd.Categorical:
    return _texts(world.city_M, city_N)


def _texts(texts, codes_N: np.ndarray) -> pd.Categorical:
    """Texts by their position in a list, −1 for none; equal ones of the list become one."""
    distinct, same = np.unique(np.asarray(texts, dtype=object), return_inverse=True)
    codes_N = np.asarray(codes_N, np.int64)
    codes = np.where(codes_N < 0, -1, same[codes_N])
    return pd.Categorical.from_codes(codes, pd.Index(distinct, dtype=object))


def _rank(first, second, rng, most) -> pd.Series:
    rank = np.where(first, 1, np.where(second, 2, 2 + rng.geometric(0.15, len(first))))
    return pd.Series(np.minimum(rank, most), dtype="Int64")


def _rounded(probability: np.ndarray) -> np.ndarray:
    return probability.astype(float).round(5)


def _rankings(world, pred, probability, second, second_probability, readable) -> pd.Series:
    rows = zip(
        world.codes[pred].tolist(),
        _rounded(probability).tolist(),
        world.codes[second].tolist(),
        _rounded(second_probability).tolist(),
        readable.tolist(),
        strict=True,
    )
    texts = [f'[["{a}", {p}], ["{b}", {q}]]' if ok else None for a, p, b, q, ok in rows]
    return pd.Series(texts, dtype=object)


def _city_rankings(world, city, readable) -> pd.Series:
    texts = np.array(
        [
            json.dumps([[name, world.codes[i], 0.4]], ensure_ascii=False)
            for name, i in zip(world.city_M, world.country_M, strict=True)
        ],
        dtype=object,
    )
    return pd.Series(np.where(readable, texts[city], None), dtype=object)
