"""Colours of the drawn world, and how light changes them. RGB, 0 to 255."""

from streetclip.demo.cues import Colour

WALLS: dict[str, tuple[Colour, ...]] = {
    "adobe": ((196, 142, 94), (178, 122, 78), (212, 164, 116)),
    "azulejo": ((232, 236, 240), (72, 118, 182), (120, 160, 206)),
    "brick": ((158, 74, 56), (142, 62, 50), (176, 92, 68)),
    "candy": ((236, 110, 126), (92, 190, 178), (250, 204, 84), (116, 146, 220)),
    "concrete": ((164, 164, 160), (146, 148, 148), (182, 180, 172)),
    "falun": ((150, 38, 32), (134, 34, 30), (228, 220, 200)),
    "glass": ((86, 142, 176), (110, 164, 194), (66, 114, 150)),
    "limestone": ((222, 208, 176), (208, 192, 156), (232, 220, 194)),
    "ochre": ((222, 170, 76), (208, 150, 62), (232, 188, 104)),
    "pastel": ((238, 206, 178), (190, 214, 190), (204, 204, 230), (242, 222, 160)),
    "pink": ((222, 126, 108), (208, 108, 96), (232, 148, 126)),
    "sandstone": ((198, 122, 80), (184, 106, 68), (210, 140, 98)),
    "terracotta": ((206, 100, 60), (238, 226, 206), (190, 86, 52)),
    "timber": ((112, 78, 54), (134, 96, 66), (92, 64, 48)),
    "white": ((242, 240, 234), (230, 230, 226), (248, 246, 240)),
}
"""Wall colours of a city; each house takes one."""

GROUNDS: dict[str, tuple[Colour, Colour]] = {
    "altiplano": ((176, 150, 96), (150, 124, 78)),
    "desert": ((222, 190, 134), (206, 170, 112)),
    "dry": ((194, 178, 100), (168, 152, 82)),
    "dust": ((206, 176, 128), (176, 154, 98)),
    "forest": ((72, 116, 58), (56, 96, 50)),
    "jungle": ((40, 116, 44), (30, 96, 40)),
    "laterite": ((198, 100, 56), (122, 148, 62)),
    "meadow": ((116, 160, 72), (98, 142, 62)),
    "outback": ((196, 92, 48), (178, 78, 42)),
    "paddy": ((128, 176, 66), (96, 150, 84)),
    "pasture": ((82, 162, 66), (66, 142, 58)),
    "prairie": ((182, 176, 84), (160, 156, 72)),
    "puna": ((186, 158, 92), (146, 126, 72)),
    "redsoil": ((178, 84, 50), (104, 136, 58)),
    "savanna": ((208, 178, 92), (186, 154, 76)),
    "steppe": ((190, 170, 112), (164, 150, 92)),
    "wheat": ((216, 186, 84), (136, 158, 66)),
}
"""Soil and grass beside the road: two tones that alternate in bands."""

ROOFS: dict[str, tuple[Colour, ...]] = {
    "flat": ((188, 180, 164), (170, 162, 150)),
    "kawara": ((74, 84, 98), (62, 70, 84)),
    "metal": ((132, 152, 160), (150, 78, 62)),
    "shingle": ((98, 92, 88), (118, 104, 94)),
    "slate": ((72, 76, 86), (84, 84, 94)),
    "temple": ((186, 70, 40), (60, 120, 80)),
    "tile": ((190, 84, 52), (174, 72, 46)),
}
"""Roof colours of a country; "flat" roofs have no gable."""

SKIES: dict[str, tuple[Colour, Colour]] = {
    "clear": ((64, 138, 218), (188, 220, 242)),
    "cool": ((104, 144, 186), (206, 220, 232)),
    "golden": ((92, 148, 206), (250, 224, 176)),
    "hazy": ((160, 172, 178), (226, 218, 202)),
    "marine": ((58, 152, 196), (200, 236, 234)),
}
"""Zenith and horizon of a city's usual light by day."""

LIGHTS: dict[str, tuple[float, float, float]] = {
    "clear": (1.0, 1.0, 1.0),
    "cool": (0.90, 0.97, 1.06),
    "golden": (1.07, 1.0, 0.86),
    "hazy": (0.98, 0.96, 0.90),
    "marine": (0.95, 1.02, 1.03),
}
"""What a city's light multiplies red, green and blue with."""


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """Go from the first colour to the second.

    Args:
        first: RGB.
        second: RGB.
        share: 0 gives the first, 1 the second.

    Examples:
        >>> mix((0, 0, 0), (200, 100, 50), 0.5)
        (100, 50, 25)
    """
    keep = 1.0 - share
    return (
        int(first[0] * keep + second[0] * share),
        int(first[1] * keep + second[1] * share),
        int(first[2] * keep + second[2] * share),
    )


def shade(colour: Colour, factor: float) -> Colour:
    """Darken (below 1) or lighten (above 1) a colour.

    Examples:
        >>> shade((100, 200, 40), 0.5), shade((100, 200, 40), 2.0)
        ((50, 100, 20), (200, 255, 80))
    """
    red, green, blue = colour
    return (
        min(255, int(red * factor)),
        min(255, int(green * factor)),
        min(255, int(blue * factor)),
    )


def multiply(colour: Colour, factors: tuple[float, float, float]) -> Colour:
    """Scale each channel by its own factor, cut to 0 to 255.

    Examples:
        >>> multiply((100, 100, 100), (1.0, 0.5, 3.0))
        (100, 50, 255)
    """
    red, green, blue = (min(255, max(0, int(c * f))) for c, f in zip(colour, factors, strict=True))
    return red, green, blue


def greyed(colour: Colour, share: float) -> Colour:
    """Take colour out of a colour: 1 leaves grey.

    Examples:
        >>> greyed((30, 60, 90), 1.0)
        (60, 60, 60)
    """
    level = sum(colour) // 3
    return mix(colour, (level, level, level), share)
