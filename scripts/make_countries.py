"""Write src/dateline/places/data/countries.csv from pycountry and the two tables below.

Enters: ISO 3166-1 from pycountry, and the continents and aliases of this file. Leaves: the table of 249 rows.
Deliberately not done: it never runs at install or import time; the committed table is what the package reads.

Run: `.venv/bin/python scripts/make_countries.py`
"""

from __future__ import annotations

import csv
from pathlib import Path

import pycountry

TARGET = Path(__file__).resolve().parents[1] / "src/dateline/places/data/countries.csv"

# Continents follow the regions of UN M49, with North and South America and the Caribbean as one, as in arXiv
# 2601.15236. So Russia is Europe; Turkey, Cyprus and the Caucasus are Asia. M49 leaves out two: Taiwan is Asia;
# Antarctica, which has no place among five continents, is Oceania, whose two states claim nearly half of it.
# Uninhabited islands go where M49 puts them.
CONTINENTS = {
    "Africa": """dz ao bj bw bf bi cv cm cf td km cg cd ci dj eg gq er sz et ga gm gh gn gw ke ls lr ly mg mw ml mr mu
        yt ma mz na ne ng re rw sh st sn sc sl so za ss sd tz tg tn ug eh zm zw io tf""",
    "America": """ai ag ar aw bs bb bz bm bo bq br vg ky ca cl co cr cu cw dm do ec sv fk gf gl gd gp gt gy ht hn jm mq
        mx ms ni pa py pe pr bl kn lc mf pm vc sx sr tt tc us uy ve vi bv gs""",
    "Asia": """af am az bh bd bt bn kh cn cy ge hk in id ir iq il jp jo kz kw kg la lb mo my mv mn mm np kp om pk ps ph
        qa sa sg kr lk sy tw tj th tl tr tm ae uz vn ye""",
    "Europe": """al ad at by be ba bg hr cz dk ee fo fi fr de gi gr gg va hu is ie im it je lv li lt lu mt md mc me nl
        mk no pl pt ro ru sm rs sk si es sj se ch ua gb ax""",
    "Oceania": "as au ck fj pf gu ki mh fm nr nc nz nu nf mp pw pg pn ws sb tk to tv vu wf cx cc hm um aq",
}

# Names as newspapers write them, where ISO is formal.
NAMES = {
    "cd": "DR Congo",
    "cg": "Republic of the Congo",
    "bn": "Brunei",
    "fk": "Falkland Islands",
    "fm": "Micronesia",
    "kp": "North Korea",
    "kr": "South Korea",
    "la": "Laos",
    "mo": "Macau",
    "ps": "Palestine",
    "ru": "Russia",
    "sy": "Syria",
    "tr": "Turkey",
    "va": "Vatican City",
    "vg": "British Virgin Islands",
    "vi": "US Virgin Islands",
    "sh": "Saint Helena, Ascension and Tristan da Cunha",
    "mf": "Saint Martin",
    "sx": "Sint Maarten",
    "bq": "Caribbean Netherlands",
}

ALIASES = {
    "ae": "UAE|Emirates",
    "ba": "Bosnia|Bosnia-Herzegovina",
    "bs": "The Bahamas",
    "cd": "DRC|Congo-Kinshasa|Democratic Republic of Congo|Zaire",
    "cf": "CAR",
    "cg": "Congo-Brazzaville|Congo Republic",
    "ci": "Ivory Coast",
    "cn": "PRC|Mainland China",
    "cv": "Cape Verde",
    "cz": "Czech Republic",
    "fk": "Falklands|Malvinas",
    "fm": "Federated States of Micronesia",
    "gb": "UK|Great Britain|Britain|England|Scotland|Wales|Northern Ireland",
    "gm": "The Gambia",
    "gw": "Guinea Bissau",
    "hk": "Hongkong|Hong Kong SAR|Hong Kong SAR China",
    "ie": "Republic of Ireland|Eire",
    "ir": "Iran",
    "kn": "St Kitts and Nevis|St Kitts",
    "kr": "Korea|Republic of Korea",
    "kp": "DPRK",
    "lc": "St Lucia",
    "lk": "Ceylon",
    "mk": "Macedonia|FYROM",
    "mm": "Burma",
    "mo": "Macao SAR",
    "nl": "Holland|The Netherlands",
    "pg": "PNG",
    "ps": "Palestinian Territories|Occupied Palestinian Territory",
    "sa": "KSA",
    "sh": "St Helena",
    "st": "Sao Tome",
    "sz": "Swaziland",
    "tl": "East Timor",
    "tr": "Turkiye",
    "tt": "Trinidad & Tobago|Trinidad",
    "us": "United States of America|USA|U.S.|U.S.A.",
    "va": "Vatican|Holy See",
    "vc": "St Vincent and the Grenadines|St Vincent",
    "vi": "Virgin Islands",
    "vn": "Viet Nam",
    "za": "RSA",
}

CC_TLD = {"gb": "uk"}


def main() -> None:
    continent = {code: name for name, codes in CONTINENTS.items() for code in codes.split()}
    codes = {entry.alpha_2.lower() for entry in pycountry.countries}
    assert continent.keys() == codes, sorted(continent.keys() ^ codes)
    assert sum(len(codes.split()) for codes in CONTINENTS.values()) == len(codes)
    with TARGET.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["alpha2", "alpha3", "name", "continent", "cc_tld", "aliases"])
        for entry in sorted(pycountry.countries, key=lambda entry: str(entry.alpha_2)):
            code = entry.alpha_2.lower()
            common = getattr(entry, "common_name", "")
            name = NAMES.get(code) or common or entry.name
            formal = [entry.name, common, getattr(entry, "official_name", "")]
            aliases: list[str] = []
            for alias in [*formal, *map(unfold, formal), *ALIASES.get(code, "").split("|")]:
                if alias and alias != name and alias not in aliases:
                    aliases.append(alias)
            writer.writerow(
                [code, entry.alpha_3.lower(), name, continent[code], CC_TLD.get(code, ""), "|".join(aliases)]
            )


def unfold(name: str) -> str:
    """Returns `Republic of Korea` for `Korea, Republic of`."""
    head, comma, tail = name.partition(", ")
    return f"{tail} {head}" if comma and "," not in tail and " and " not in tail else name


if __name__ == "__main__":
    main()
