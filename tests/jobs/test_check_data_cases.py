"""The smallest manifests that data sets of the field went wrong with, and what is said of each."""

import codecs

import pytest

from jobs.check_data import main

HEADER = "image_filename,city,region,country,continent"
LYON = "a.jpg,Lyon,,France,Europe"
PLACED = f"{HEADER},latitude,longitude"
GOOD = "All good."


@pytest.fixture
def check(tmp_path, capsys, monkeypatch):
    """Runs check_data on files of these contents; gives the exit code and the output."""
    monkeypatch.chdir(tmp_path)

    def _check(*contents):
        paths = []
        for number, content in enumerate(contents):
            path = tmp_path / f"{number}.csv"
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
            paths.append(path.name)
        code = main(["--csv", *paths])
        return code, capsys.readouterr().out

    return _check


def table(*rows, header=HEADER):
    return "".join(f"{row}\n" for row in (header, *rows))


READ_RIGHT = {
    "blank lines": (f"\n\n{HEADER}\n\n{LYON}\n\n", "1 images in 1 countries"),
    "byte order mark": (codecs.BOM_UTF8 + table(LYON).encode(), "1 images in 1 countries"),
    "CR alone": (table(LYON, "b.jpg,Nice,,France,").replace("\n", "\r"), "2 images in 1"),
    "CR LF": (table(LYON, "b.jpg,Nice,,France,").replace("\n", "\r\n"), "2 images in 1"),
    "brackets and formulas": (
        table("a.jpg,{city},[region],France,", "b.jpg,<b>,$x^2$,France,", "c.jpg,=A1,@SUM,France,"),
        "3 images",
    ),
    "line breaks in quotes": (
        table('a.jpg,"Lyon\n(centre)",,France,,"A\nB"', header=f"{HEADER},caption"),
        "1 images",
    ),
    "pandas' index, named": (
        table(f"0,{LYON}", header=f"Unnamed: 0,{HEADER}"),
        "attributes: 'Unnamed: 0'",
    ),
    "sep=": (f"sep=,\n{table(LYON)}", "France 1"),
    "quotes after a space": (
        table('a.jpg, "Washington, D.C.", , United States, North America'),
        "United States 1",
    ),
    "commas at the end of rows": (table(f"{LYON},", "b.jpg,Nice,,France,,"), "France 2"),
    "commas at every end": (table(f"{LYON},", header=f"{HEADER},"), "France 1"),
    "several commas at every end": (table(f"{LYON},,,", LYON[1:], header=f"{HEADER},,,"), "2 ima"),
    "territories": (
        table(
            "a.jpg,Nuuk,,Greenland (Kingdom of Denmark),",
            "b.jpg,,,Hong Kong Special Administrative Region of the People's Republic of China,",
        ),
        "images by country: Greenland 1, Hong Kong 1",
    ),
    "places named like markers": (
        table(
            "a.jpg,Nan,Nan,Thailand,Asia",
            "b.jpg,None,Piedmont,Italy,Europe",
            "c.jpg,Windhoek,Khomas,NA,Africa",
        ),
        "images by country: Thailand 1, Italy 1, Namibia 1",
    ),
}


@pytest.mark.parametrize("name", READ_RIGHT)
def test_what_can_be_read_right_is_read_without_a_word(check, name):
    content, expected = READ_RIGHT[name]
    code, out = check(content)
    assert code == 0, out
    assert expected in out
    assert GOOD in out


WARNED = {
    "NA by R": (
        table("b.jpg,Lyon,NA,France,Europe,NA,NA", header=PLACED),
        ["0.csv:2: region 'NA', latitude 'NA', longitude 'NA' are read as missing."],
    ),
    "markers by programs": (
        table("a.jpg,nan,nan,France,", "b.jpg,None,NULL,France,", "c.jpg,\\N,-,France,N/A"),
        [
            "3 rows: values such as NA",
            "0.csv:2: city 'nan', region 'nan' are read as missing.",
            "0.csv:3: city 'None', region 'NULL' are",
            "0.csv:4: city '\\\\N', region '-', continent 'N/A' are",
        ],
    ),
    "continent": (
        table("a.jpg,Windhoek,,Namibia,North America", "b.jpg,Lyon,,France,Asia"),
        [
            "0.csv:2: continent is 'North America', but Namibia is in Africa, which is used.",
            "0.csv:3: continent is 'Asia', but France is in Europe",
        ],
    ),
    "mojibake": (
        table("a.jpg,SÃ£o Paulo,SÃ£o Paulo,Brazil,", "b.jpg,M\ufffdnchen,,Germany,"),
        [
            "0.csv: 2 rows: text was decoded",
            "Also: region is 'SÃ£o Paulo'",
            "0.csv:2: city is 'SÃ£o Paulo', which reads 'São Paulo'",
            "0.csv:3: city is 'M�nchen', in",
        ],
    ),
}


@pytest.mark.parametrize("name", WARNED)
def test_a_doubtful_label_is_warned_of_with_its_line(check, name):
    content, expected = WARNED[name]
    code, out = check(content)
    assert code == 0, out
    assert all(text in out for text in expected), out
    assert GOOD not in out


UTF_16 = table(LYON).encode("utf-16-le")
REFUSED = {
    "Windows-1251": (
        table("a.jpg,Москва,,Russia,").encode("cp1251"),
        [
            "0.csv:2: byte 0xCC at position 52 of",
            "reads 'Москва' (WINDOWS-1251), 'Ìîñêâà' (WINDOWS-1252)",
        ],
    ),
    "Windows-1252": (
        table("a.jpg,Saint-Étienne,,France,").encode("cp1252"),
        ["reads 'Saint-Étienne' (WINDOWS-1252), 'Saint-Йtienne' (WINDOWS-1251)"],
    ),
    "Shift JIS": (
        table("a.jpg,東京,,Japan,").encode("shift_jis"),
        ["reads '東京' (SHIFT_JIS)", "`iconv -f SHIFT_JIS -t UTF-8"],
    ),
    "mojibake in a country": (
        table("b.jpg,Abidjan,,CÃ´te d'Ivoire,Africa"),
        ["0.csv:2:", 'is "Côte d\'Ivoire", decoded in another encoding'],
    ),
    "semicolons": (table(LYON).replace(",", ";"), ["separated by ';'"]),
    "sep= with semicolons": (
        "sep=;\n" + table(LYON).replace(",", ";"),
        ["0.csv:1: columns are separated by ';'; expected ','"],
    ),
    "tabs": (table(LYON).replace(",", "\t"), ["separated by '\\t'"]),
    "UTF-16": (codecs.BOM_UTF16_LE + UTF_16, ["is UTF-16"]),
    "UTF-16 without its mark": (UTF_16, ["0.csv:1: holds a NUL byte", "UTF-16"]),
    "a NUL byte": (table("a.jpg,Ly\0on,,France,"), ["0.csv:2: holds a NUL byte"]),
    "decimal commas": (table('a.jpg,,,France,,"45,76","4,84"', header=PLACED), ["decimal comma"]),
    "a comma without quotes": (
        table("a.jpg,Washington, D.C.,,United States,North America"),
        ["0.csv:2: has 6 cells; expected 5", "Put quotes around a cell"],
    ),
    "a quote inside": (table('a.jpg,"Lyon" centre,,France,'), ["0.csv:2: the row", "badly quoted"]),
    "pandas' index": (table(f"0,{LYON}", header=f",{HEADER}"), ["column 1 has no name"]),
    "a column without a name": (
        table(f"{LYON},x", header=f"{HEADER},"),
        ["column 6 has no name"],
    ),
    "capitals in the header": (table(LYON, header=HEADER.title()), ["Rename 'Image_Filename' to"]),
    "rows of commas": (table(LYON, ",,,,"), ["0.csv:3: image_filename is blank"]),
    "one name in two spellings": (table(LYON, f"./{LYON}"), ["0.csv:3: ", "repeats line 2"]),
    "Windows paths": (table("images\\a.jpg,,,France,"), ["has a backslash"]),
    "NA everywhere": (
        table("a.jpg,NA,NA,NA,NA"),
        ["0.csv:2: country is 'NA', which is read as missing", "Write Namibia"],
    ),
    "a part of a kingdom": (
        table("a.jpg,,,Rotterdam (Kingdom of the Netherlands),"),
        ["is unknown", "Did you mean Netherlands?"],
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_is_refused_for_its_true_cause(check, name):
    content, expected = REFUSED[name]
    code, out = check(content)
    assert code == 2
    assert all(text in out for text in expected), out


def test_one_image_in_two_splits_under_two_spellings_is_told(check):
    code, out = check(table(LYON), table(f"./{LYON}"))
    assert code == 2
    assert "0.csv and 1.csv share 1 image ('a.jpg' on line 2 and './a.jpg' on line 2)" in out
