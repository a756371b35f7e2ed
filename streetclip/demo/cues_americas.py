"""Cues of the Americas. See `cues`."""

from dataclasses import replace

from streetclip.demo.cues import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    RED,
    WHITE,
    YELLOW,
    CountryCues,
    Line,
    Plate,
    WarningSign,
)


def countries() -> list[CountryCues]:
    """North America, the Andes and Argentina."""
    return [*_north(), *_andes()]


def _north() -> list[CountryCues]:
    base = CountryCues(
        code="US",
        cluster="North America",
        driving_side="right",
        centre_line=Line(YELLOW, "double"),
        edge_line=Line(WHITE, "solid"),
        plate=Plate(text=BLUE, shape="short"),
        warning=WarningSign("diamond", YELLOW, BLACK),
        direction=GREEN,
        bollard=(WHITE, GREY, WHITE),
        pole="wood",
        trees=("oak", "pine"),
        ground="prairie",
        terrain="rolling",
        roof="shingle",
        script="latin",
        climate="mild",
    )
    return [
        base.with_cities(
            "New York City | New York | brick | highrise | clear",
            "Phoenix | Arizona | adobe | mesa | golden",
            "Seattle | Washington | timber | tower | cool",
        ),
        replace(
            base,
            code="CA",
            plate=Plate(text=RED, shape="short"),
            trees=("spruce", "birch"),
            ground="forest",
            terrain="peaks",
            climate="cold",
        ).with_cities(
            "Toronto | Ontario | glass | tower | clear",
            "Vancouver | British Columbia | white | hill | marine",
            "Québec | Quebec | limestone | fortress | cool",
        ),
    ]


def _andes() -> list[CountryCues]:
    base = CountryCues(
        code="PE",
        cluster="Andes",
        driving_side="right",
        centre_line=Line(YELLOW, "dashed"),
        edge_line=Line(WHITE, "solid"),
        plate=Plate(shape="short", band=(196, 40, 48)),
        warning=WarningSign("diamond", YELLOW, BLACK),
        direction=GREEN,
        bollard=(WHITE, YELLOW, WHITE),
        pole="concrete",
        trees=("bush", "eucalyptus"),
        ground="puna",
        terrain="peaks",
        roof="flat",
        script="latin",
        climate="dry",
    )
    return [
        base.with_cities(
            "Lima | Lima | concrete | highrise | hazy",
            "Cusco | Cusco | adobe | cathedral | golden",
            "Arequipa | Arequipa | white | dome | clear",
        ),
        replace(
            base,
            code="BO",
            plate=Plate(text=BLUE),
            pole="wood",
            bollard=(BLACK, WHITE, BLACK),
            ground="altiplano",
        ).with_cities(
            "La Paz | La Paz | brick | hill | clear",
            "Santa Cruz de la Sierra | Santa Cruz | ochre | tower | golden",
            "Sucre | Chuquisaca | white | cathedral | cool",
        ),
        replace(
            base,
            code="EC",
            centre_line=Line(YELLOW, "double"),
            plate=Plate(shape="short"),
            ground="jungle",
            trees=("banana", "eucalyptus"),
            climate="wet",
            bollard=(YELLOW, BLACK, YELLOW),
        ).with_cities(
            "Quito | Pichincha | pastel | spires | cool",
            "Guayaquil | Guayas | candy | tower | hazy",
            "Cuenca | Azuay | terracotta | dome | clear",
        ),
        replace(
            base,
            code="AR",
            plate=Plate(band=(24, 64, 160)),
            ground="prairie",
            terrain="flat",
            trees=("poplar", "bush"),
            bollard=(WHITE, RED, WHITE),
            pole="wood",
            climate="mild",
        ).with_cities(
            "Buenos Aires | Buenos Aires | limestone | tower | clear",
            "Córdoba | Cordoba | brick | cathedral | golden",
            "Ushuaia | Tierra del Fuego | falun | hill | cool",
        ),
    ]
