"""Cues of Africa and Oceania. See `cues`."""

from dataclasses import replace

from streetclip.demo.cues import (
    BLACK,
    BLUE,
    GREEN,
    RED,
    WHITE,
    YELLOW,
    CountryCues,
    Line,
    Plate,
    WarningSign,
)


def countries() -> list[CountryCues]:
    """Southern Africa, East Africa and Oceania."""
    return [*_southern_africa(), *_east_africa(), *_oceania()]


def _southern_africa() -> list[CountryCues]:
    base = CountryCues(
        code="ZA",
        cluster="Southern Africa",
        driving_side="left",
        centre_line=Line(WHITE, "dashed"),
        edge_line=Line(YELLOW, "solid"),
        plate=Plate(text=BLUE),
        warning=WarningSign(),
        direction=GREEN,
        bollard=(WHITE, RED, WHITE),
        pole="wood",
        trees=("acacia", "eucalyptus"),
        ground="savanna",
        terrain="mountains",
        roof="tile",
        script="latin",
        climate="dry",
    )
    return [
        base.with_cities(
            "Cape Town | Western Cape | candy | mesa | clear",
            "Johannesburg | Gauteng | brick | tower | golden",
            "Durban | KwaZulu-Natal | white | highrise | marine",
        ),
        replace(
            base,
            code="BW",
            edge_line=Line(WHITE, "solid"),
            plate=Plate(background=YELLOW),
            bollard=(BLACK, WHITE, BLACK),
            terrain="flat",
            roof="metal",
            trees=("acacia", "bush"),
        ).with_cities(
            "Gaborone | South East | glass | highrise | golden",
            "Francistown | North East | ochre | chimneys | hazy",
            "Maun | North West | adobe | tower | clear",
        ),
        replace(
            base,
            code="NA",
            plate=Plate(background=YELLOW, shape="long"),
            ground="desert",
            trees=("bush", "acacia"),
            terrain="rolling",
            roof="metal",
            bollard=(WHITE, RED, WHITE),
        ).with_cities(
            "Windhoek | Khomas | ochre | cathedral | clear",
            "Walvis Bay | Erongo | white | cranes | hazy",
            "Swakopmund | Erongo | candy | tower | marine",
        ),
    ]


def _east_africa() -> list[CountryCues]:
    base = CountryCues(
        code="KE",
        cluster="East Africa",
        driving_side="left",
        centre_line=Line(YELLOW, "solid"),
        edge_line=Line(WHITE, "solid"),
        plate=Plate(background=YELLOW),
        warning=WarningSign(),
        direction=BLUE,
        bollard=(BLACK, WHITE, BLACK),
        pole="wood",
        trees=("acacia", "banana"),
        ground="redsoil",
        terrain="rolling",
        roof="metal",
        script="latin",
        climate="dry",
    )
    return [
        base.with_cities(
            "Nairobi | Nairobi | glass | highrise | clear",
            "Mombasa | Mombasa | white | minarets | marine",
            "Kisumu | Kisumu | adobe | hill | hazy",
        ),
        replace(
            base,
            code="ET",
            driving_side="right",
            centre_line=Line(WHITE, "dashed"),
            plate=Plate(text=BLUE),
            trees=("eucalyptus", "acacia"),
            terrain="mountains",
            bollard=(RED, WHITE, RED),
            script="ethiopic",
        ).with_cities(
            "Addis Ababa | Addis Ababa | concrete | highrise | hazy",
            "Gonder | Amhara | sandstone | fortress | golden",
            "Dire Dawa | Dire Dawa | candy | minarets | clear",
        ),
    ]


def _oceania() -> list[CountryCues]:
    base = CountryCues(
        code="AU",
        cluster="Oceania",
        driving_side="left",
        centre_line=Line(WHITE, "dashed"),
        edge_line=Line(WHITE, "solid"),
        plate=Plate(text=BLUE, shape="short"),
        warning=WarningSign("diamond", YELLOW, BLACK),
        direction=GREEN,
        bollard=(WHITE, RED, WHITE),
        pole="wood",
        trees=("eucalyptus", "bush"),
        ground="outback",
        terrain="flat",
        roof="metal",
        script="latin",
        climate="dry",
    )
    return [
        base.with_cities(
            "Sydney | New South Wales | brick | highrise | clear",
            "Melbourne | Victoria | limestone | spires | cool",
            "Perth | Western Australia | glass | tower | golden",
        ),
        replace(
            base,
            code="NZ",
            plate=Plate(shape="short"),
            trees=("fern", "pine"),
            ground="pasture",
            terrain="peaks",
            climate="wet",
            centre_line=Line(WHITE, "dashed"),
            edge_line=Line(WHITE, "dashed"),
        ).with_cities(
            "Auckland | Auckland | timber | tower | marine",
            "Wellington | Wellington | candy | hill | cool",
            "Christchurch | Canterbury | brick | cathedral | clear",
        ),
    ]
