"""What tells the drawn countries and cities apart: the cues that people use, as plain values.

The cues are those that players of geolocation games and the field's papers name: side of driving,
road lines, plates, warning signs, bollards, poles, plants, soil, roofs and the script on signs.
They are true to the country but simplified to one value each. Neighbours start from a shared base
(`dataclasses.replace`), so that they look alike and a confusion between them means something.
"""

import dataclasses
from dataclasses import dataclass

Colour = tuple[int, int, int]

WHITE: Colour = (240, 240, 236)
YELLOW: Colour = (246, 196, 38)
BLACK: Colour = (30, 30, 32)
RED: Colour = (204, 36, 40)
BLUE: Colour = (28, 84, 176)
GREEN: Colour = (22, 112, 70)
ORANGE: Colour = (240, 124, 30)
GREY: Colour = (150, 152, 154)


@dataclass(frozen=True)
class Line:
    """Paint on the road.

    Attributes:
        colour: RGB, 0 to 255.
        pattern: "dashed", "solid", "double" or "none".
    """

    colour: Colour
    pattern: str


@dataclass(frozen=True)
class Plate:
    """A registration plate as it is seen on the rear of a car.

    Attributes:
        background: RGB of the plate.
        text: RGB of the characters.
        band: RGB of the band on the left, as in the European Union; None without one.
        shape: "long" (520 × 110 mm) or "short" (about 300 × 150 mm).
        right_band: RGB of a band on the right, as in Belgium's neighbours to the south; or None.
    """

    background: Colour = WHITE
    text: Colour = BLACK
    band: Colour | None = None
    shape: str = "long"
    right_band: Colour | None = None


@dataclass(frozen=True)
class WarningSign:
    """A road sign that warns: "triangle" or "diamond", its fill and its border."""

    shape: str = "triangle"
    fill: Colour = WHITE
    border: Colour = RED


@dataclass(frozen=True)
class CityCues:
    """One city: where it is and how its streets look.

    Attributes:
        name: As the gazetteer spells it.
        region: First-level administrative division.
        walls: Key of `palette.WALLS`.
        skyline: Key of the shapes in `skyline.py`.
        light: Key of `palette.LIGHTS`.
    """

    name: str
    region: str
    walls: str
    skyline: str
    light: str


@dataclass(frozen=True)
class CountryCues:
    """One country: its cues and its cities.

    Attributes:
        code: ISO 3166-1 alpha-2.
        cluster: Neighbourhood whose countries share a base of cues.
        driving_side: "left" or "right".
        centre_line: Paint between the two directions.
        edge_line: Paint along the verge.
        plate: On the rear of cars.
        warning: Shape and colours of warning signs.
        direction: Background of direction signs.
        bollard: Colours of a roadside post, from top to bottom.
        pole: "wood", "concrete", "steel" or "square".
        trees: Keys of the shapes in `plants.py`, the first the most frequent.
        ground: Key of `palette.GROUNDS`.
        terrain: "flat", "rolling", "mountains" or "peaks".
        roof: Key of `palette.ROOFS`.
        script: Key of the shapes in `glyphs.py`.
        climate: "cold", "mild", "dry" or "wet": which weather is likely.
        cities: At least three.
    """

    code: str
    cluster: str
    driving_side: str
    centre_line: Line
    edge_line: Line
    plate: Plate
    warning: WarningSign
    direction: Colour
    bollard: tuple[Colour, ...]
    pole: str
    trees: tuple[str, ...]
    ground: str
    terrain: str
    roof: str
    script: str
    climate: str
    cities: tuple[CityCues, ...] = ()

    def with_cities(self, *rows: str) -> "CountryCues":
        """Add cities, each written as `name | region | walls | skyline | light`."""
        cities = tuple(CityCues(*(part.strip() for part in row.split("|"))) for row in rows)
        return dataclasses.replace(self, cities=cities)
