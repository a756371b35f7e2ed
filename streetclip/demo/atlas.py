"""All countries of the drawn world, gathered from the tables of its regions."""

from functools import cache

from streetclip.demo import cues_americas, cues_east, cues_europe, cues_south
from streetclip.demo.cues import CountryCues


@cache
def world() -> tuple[CountryCues, ...]:
    """All countries of the drawn world, ordered by ISO code.

    Examples:
        >>> len(world()), {len(country.cities) for country in world()}
        (40, {3})
    """
    parts = (cues_europe, cues_east, cues_south, cues_americas)
    countries = [country for part in parts for country in part.countries()]
    return tuple(sorted(countries, key=lambda country: country.code))
