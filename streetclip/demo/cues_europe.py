"""Cues of the European countries. See `cues`."""

from dataclasses import replace

from streetclip.demo.cues import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    RED,
    WHITE,
    YELLOW,
    CountryCues,
    Line,
    Plate,
    WarningSign,
)

_EU_BAND = (24, 64, 160)
_EU_PLATE = Plate(band=_EU_BAND)


def countries() -> list[CountryCues]:
    """Baltics, Nordics, Benelux, British Isles, Iberia and the south-east."""
    return [
        *_baltics(),
        *_nordics(),
        *_benelux(),
        *_isles(),
        *_iberia(),
        *_south_east(),
    ]


def _baltics() -> list[CountryCues]:
    base = CountryCues(
        code="EE",
        cluster="Baltics",
        driving_side="right",
        centre_line=Line(WHITE, "dashed"),
        edge_line=Line(WHITE, "solid"),
        plate=_EU_PLATE,
        warning=WarningSign(),
        direction=BLUE,
        bollard=(WHITE, BLACK, WHITE),
        pole="wood",
        trees=("birch", "pine"),
        ground="meadow",
        terrain="flat",
        roof="metal",
        script="latin",
        climate="cold",
    )
    return [
        base.with_cities(
            "Tallinn | Harju | limestone | spires | cool",
            "Tartu | Tartu | pastel | dome | clear",
            "Narva | Ida-Viru | concrete | fortress | hazy",
        ),
        replace(base, code="LV", bollard=(WHITE, ORANGE, WHITE), pole="concrete").with_cities(
            "Riga | Riga | pastel | spires | marine",
            "Daugavpils | Daugavpils | brick | fortress | hazy",
            "Liepāja | Liepāja | timber | cranes | cool",
        ),
        replace(
            base,
            code="LT",
            bollard=(WHITE, RED, WHITE),
            trees=("pine", "oak"),
            direction=GREEN,
            ground="wheat",
            roof="tile",
        ).with_cities(
            "Vilnius | Vilnius | ochre | spires | clear",
            "Kaunas | Kaunas | brick | chimneys | cool",
            "Klaipėda | Klaipėda | timber | cranes | marine",
        ),
    ]


def _nordics() -> list[CountryCues]:
    base = CountryCues(
        code="SE",
        cluster="Nordics",
        driving_side="right",
        centre_line=Line(WHITE, "dashed"),
        edge_line=Line(WHITE, "dashed"),
        plate=_EU_PLATE,
        warning=WarningSign(fill=YELLOW),
        direction=BLUE,
        bollard=(BLACK, WHITE, BLACK),
        pole="wood",
        trees=("spruce", "birch"),
        ground="forest",
        terrain="rolling",
        roof="slate",
        script="latin",
        climate="cold",
    )
    return [
        base.with_cities(
            "Stockholm | Stockholm | ochre | spires | clear",
            "Gothenburg | Västra Götaland | brick | cranes | marine",
            "Uppsala | Uppsala | falun | cathedral | cool",
        ),
        replace(
            base,
            code="NO",
            centre_line=Line(YELLOW, "dashed"),
            plate=Plate(band=(20, 60, 150)),
            warning=WarningSign(),
            direction=YELLOW,
            bollard=(RED, WHITE, RED),
            terrain="peaks",
        ).with_cities(
            "Oslo | Oslo | brick | highrise | clear",
            "Bergen | Vestland | falun | hill | marine",
            "Trondheim | Trøndelag | timber | cathedral | cool",
        ),
        replace(
            base,
            code="FI",
            edge_line=Line(WHITE, "solid"),
            bollard=(GREY, YELLOW, GREY),
            trees=("pine", "birch"),
            direction=GREEN,
            terrain="flat",
        ).with_cities(
            "Helsinki | Uusimaa | white | dome | marine",
            "Tampere | Pirkanmaa | brick | chimneys | cool",
            "Oulu | North Ostrobothnia | timber | tower | clear",
        ),
    ]


def _benelux() -> list[CountryCues]:
    base = CountryCues(
        code="NL",
        cluster="Benelux",
        driving_side="right",
        centre_line=Line(WHITE, "dashed"),
        edge_line=Line(WHITE, "dashed"),
        plate=Plate(background=YELLOW, band=_EU_BAND),
        warning=WarningSign(),
        direction=BLUE,
        bollard=(WHITE, RED, WHITE),
        pole="steel",
        trees=("poplar", "oak"),
        ground="pasture",
        terrain="flat",
        roof="tile",
        script="latin",
        climate="wet",
    )
    return [
        base.with_cities(
            "Amsterdam | North Holland | brick | spires | marine",
            "Rotterdam | South Holland | glass | highrise | cool",
            "Utrecht | Utrecht | white | cathedral | clear",
        ),
        replace(
            base,
            code="BE",
            plate=Plate(text=RED, band=_EU_BAND),
            edge_line=Line(WHITE, "solid"),
            pole="concrete",
            direction=GREEN,
        ).with_cities(
            "Brussels | Brussels Capital | ochre | dome | hazy",
            "Antwerp | Flanders | brick | cranes | marine",
            "Liège | Wallonia | concrete | chimneys | cool",
        ),
        replace(
            base,
            code="LU",
            bollard=(WHITE, BLACK, WHITE),
            terrain="rolling",
            roof="slate",
            trees=("oak", "spruce"),
            edge_line=Line(WHITE, "solid"),
        ).with_cities(
            "Luxembourg | Luxembourg | limestone | fortress | clear",
            "Esch-sur-Alzette | Esch-sur-Alzette | pastel | chimneys | hazy",
            "Dudelange | Esch-sur-Alzette | white | cathedral | cool",
        ),
    ]


def _isles() -> list[CountryCues]:
    base = CountryCues(
        code="GB",
        cluster="British Isles",
        driving_side="left",
        centre_line=Line(WHITE, "dashed"),
        edge_line=Line(WHITE, "solid"),
        plate=Plate(background=YELLOW, band=_EU_BAND),
        warning=WarningSign(),
        direction=GREEN,
        bollard=(WHITE, RED, BLACK),
        pole="wood",
        trees=("oak", "poplar"),
        ground="pasture",
        terrain="rolling",
        roof="slate",
        script="latin",
        climate="wet",
    )
    return [
        base.with_cities(
            "London | England | brick | highrise | hazy",
            "Edinburgh | Scotland | limestone | fortress | cool",
            "Cardiff | Wales | white | stadium | marine",
        ),
        replace(
            base,
            code="IE",
            edge_line=Line(YELLOW, "dashed"),
            plate=_EU_PLATE,
            warning=WarningSign("diamond", YELLOW, BLACK),
            bollard=(WHITE, YELLOW, WHITE),
        ).with_cities(
            "Dublin | Leinster | brick | tower | cool",
            "Cork | Munster | candy | cathedral | marine",
            "Galway | Connacht | limestone | cranes | hazy",
        ),
    ]


def _iberia() -> list[CountryCues]:
    base = CountryCues(
        code="ES",
        cluster="Iberia",
        driving_side="right",
        centre_line=Line(WHITE, "dashed"),
        edge_line=Line(WHITE, "solid"),
        plate=_EU_PLATE,
        warning=WarningSign(),
        direction=BLUE,
        bollard=(WHITE, YELLOW, BLACK),
        pole="concrete",
        trees=("olive", "cypress"),
        ground="dry",
        terrain="rolling",
        roof="tile",
        script="latin",
        climate="dry",
    )
    return [
        base.with_cities(
            "Madrid | Madrid | ochre | highrise | clear",
            "Sevilla | Andalusia | white | cathedral | golden",
            "Bilbao | Basque Country | glass | hill | marine",
        ),
        replace(
            base,
            code="PT",
            plate=Plate(band=_EU_BAND, right_band=YELLOW),
            trees=("eucalyptus", "olive"),
            bollard=(WHITE, RED, BLACK),
            direction=WHITE,
        ).with_cities(
            "Lisbon | Lisbon | pastel | fortress | golden",
            "Porto | Porto | azulejo | spires | marine",
            "Faro | Faro | white | dome | clear",
        ),
    ]


def _south_east() -> list[CountryCues]:
    base = CountryCues(
        code="BG",
        cluster="South-East Europe",
        driving_side="right",
        centre_line=Line(WHITE, "dashed"),
        edge_line=Line(WHITE, "solid"),
        plate=_EU_PLATE,
        warning=WarningSign(),
        direction=BLUE,
        bollard=(WHITE, BLACK, WHITE),
        pole="concrete",
        trees=("poplar", "oak"),
        ground="wheat",
        terrain="mountains",
        roof="tile",
        script="cyrillic",
        climate="mild",
    )
    return [
        base.with_cities(
            "Sofia | Sofia-Capital | concrete | dome | hazy",
            "Plovdiv | Plovdiv | candy | hill | golden",
            "Varna | Varna | white | cranes | marine",
        ),
        replace(
            base,
            code="RO",
            script="latin",
            bollard=(WHITE, RED, WHITE),
            terrain="rolling",
            roof="metal",
            pole="square",
        ).with_cities(
            "Bucharest | Bucharest | limestone | highrise | hazy",
            "Cluj-Napoca | Cluj | ochre | cathedral | clear",
            "Constanţa | Constanța | white | minarets | marine",
        ),
        replace(
            base,
            code="GR",
            script="greek",
            trees=("cypress", "olive"),
            ground="dry",
            warning=WarningSign(fill=YELLOW),
            bollard=(WHITE, RED, WHITE),
            climate="dry",
            pole="wood",
        ).with_cities(
            "Athens | Attica | white | temple | golden",
            "Thessaloníki | Central Macedonia | concrete | tower | marine",
            "Irákleion | Crete | ochre | fortress | clear",
        ),
    ]
