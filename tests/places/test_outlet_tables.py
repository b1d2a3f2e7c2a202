"""Users' tables: strict. Lists as others publish them: recognized, read, and every row accounted for."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dateline.errors import UserError
from dateline.places import Outlet, all_countries, load_outlet_tables, load_outlets
from dateline.places.outlets import FIPS_TO_ISO, load_published, published_format

HEADER = (
    "id,homepage,domain,url_search_string,label,notes,platform,"
    "pub_country,pub_state,media_type,stories_per_week,last_story,primary_language\n"
)


def written(folder: Path, text: str, name: str = "list.txt") -> Path:
    path = folder / name
    path.write_text(text, "utf-8", newline="")
    return path


def test_a_gdelt_list_is_read_by_country_name_not_by_fips_code(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "0-50.ru\tRS\tRussia\r\nsmh.com.au\tAS\tAustralia\r\nWWW.Herald.co.zw\tZI\tZimbabwe\r\n\r\n"
        "lefigaro.fr\tFR\tFrance\r\nnamelessnation.com\tSF\tSouthern Realm\r\nshort.com\tCH\t\r\n",
    )
    outlets, skipped = load_published(path)
    assert {domain: found.country for domain, found in outlets.items()} == {
        "0-50.ru": "ru",
        "smh.com.au": "au",
        "herald.co.zw": "zw",
        "lefigaro.fr": "fr",
        "namelessnation.com": "za",
        "short.com": "cn",
    }
    assert outlets["smh.com.au"] == Outlet("smh.com.au", "au", "smh.com.au")
    assert skipped == Counter()


def test_bad_rows_of_a_gdelt_list_are_counted_and_stop_nothing(tmp_path: Path) -> None:
    rows = [
        "kept.com\tUS\tUnited States",
        "kept.com\tUS\tUnited States",
        "torn.com\tUS\tUnited States",
        "torn.com\tCA\tCanada",
        "torn.com\tUS\tUnited States",
        "kosovo.com\tKV\tKosovo",
        "nowhere.com\t\t",
        "localhost\tUS\tUnited States",
        "news.bbc.co.uk\tUK\tUnited Kingdom",
        "yahoo.com\tUS\tUnited States",
        "ann.blogspot.com\tUS\tUnited States",
        "two.com\tUS",
        "b\ufffdd.com\tUS\tUnited States",
    ]
    outlets, skipped = load_published(written(tmp_path, "\n".join(rows)))
    assert list(outlets) == ["kept.com"]
    assert skipped == {
        "repeated": 1,
        "two countries": 3,
        "unknown country": 1,
        "no country": 1,
        "no registered domain": 2,
        "part of a site": 1,
        "shared platform or portal": 2,
        "not three columns": 1,
    }


def test_broken_utf8_costs_one_row(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_bytes(b"caf\xe9.com\tFR\tFrance\nlemonde.fr\tFR\tFrance\n")
    outlets, skipped = load_published(path)
    assert list(outlets) == ["lemonde.fr"]
    assert skipped == {"no registered domain": 1}


def test_a_media_cloud_export_is_read(tmp_path: Path) -> None:
    rows = (
        "1,http://nytimes.com,nytimes.com,,New York Times,\"Paywall,\nsince 2011\",online_news,USA,US-NY,,1,,en\n"
        "2,https://huffpost.com,huffpost.com,,huffpost.com,,online_news,usa,,,374,,en\n"
        "3,http://www.theguardian.com/uk,theguardian.com,,The Guardian,,online_news,GBR,,,1,,en\n"
        "4,https://axios.com,axios.com,,axios.com,,online_news,,,,0,,\n"
        "5,https://a.com,a.com,a.com/sports*,A,,online_news,USA,,,0,,\n"
        "6,https://youtube.com/@a,a,,A,,youtube,USA,,,0,,\n"
        "7,https://msn.com,msn.com,,msn.com,,online_news,USA,,,0,,\n"
        "8,https://b.com,b.com,,B,,online_news,XKX,,,0,,\n"
        "9,https://c.com,c.com\n"
        "\n"
    )  # fmt: skip
    path = written(tmp_path, "\ufeff" + HEADER + rows, "Collection-262985270.csv")
    assert published_format(path) == "mediacloud"
    outlets, skipped = load_published(path)
    assert outlets == {
        "nytimes.com": Outlet("nytimes.com", "us", "New York Times"),
        "huffpost.com": Outlet("huffpost.com", "us", "huffpost.com"),
        "theguardian.com": Outlet("theguardian.com", "gb", "The Guardian"),
    }
    assert skipped == {
        "no country": 1,
        "part of a site": 1,
        "not a web site": 1,
        "shared platform or portal": 1,
        "unknown country": 1,
        "other columns than the header": 1,
    }


def test_older_media_cloud_exports_are_read(tmp_path: Path) -> None:
    older = written(tmp_path, "id,name,url_search_string,label,pub_country\n1,punchng.com,,Punch,NGA\n")
    assert load_published(older)[0] == {"punchng.com": Outlet("punchng.com", "ng", "Punch")}
    oldest = written(tmp_path, "media_id,url,name,pub_country\n1,http://www.dawn.com/,The Dawn,PAK\n")
    assert load_published(oldest)[0] == {"dawn.com": Outlet("dawn.com", "pk", "The Dawn")}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a.com\tUS\tUnited States\n", "gdelt"),
        ("\n\r\na.com\tUS\tUnited States\n", "gdelt"),
        ("a.com\t\t\n", "gdelt"),
        (HEADER, "mediacloud"),
        ("ID,Domain,PUB_COUNTRY\n", "mediacloud"),
        ("domain,country,name\n", None),
        ("domain,country,name,pub_country\n", None),
        ("domain\tcc\tname\n", None),
        ("domain\tcountry\tname\n", None),
        ("a\tb\n", None),
        ("", None),
        ('"', None),
        ("\x00\t\x00", None),
    ],
)
def test_formats_are_told_by_the_first_line(tmp_path: Path, text: str, expected: str | None) -> None:
    assert published_format(written(tmp_path, text, "any.name")) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("domain,country,name\na.com,za,A\n", "neither GDELT's list of domains by country .* nor a Media Cloud"),
        ("localhost\tUS\tUnited States\n", r"no outlet in this list can be used \(1 no registered domain\)"),
        (HEADER, r"no outlet in this list can be used \(it has no rows\)"),
        ("id,pub_country\n1,USA\n", "no column domain, name, homepage, url; one of them holds an outlet's address"),
        (HEADER + '1,"' + "x" * (17 << 20) + "\n", "line 2: not a CSV table: field larger than field limit"),
    ],
    ids=range(5),
)
def test_a_list_without_use_is_refused_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(UserError, match=message) as raised:
        load_published(path)
    assert str(raised.value).startswith(str(path))
    assert "\n" not in str(raised.value)


def test_an_unreadable_list_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot read the outlet table: No such file"):
        load_published(tmp_path / "absent.txt")
    with pytest.raises(UserError, match="cannot read the outlet table: Is a directory"):
        published_format(tmp_path)


def test_fips_codes_lead_to_countries() -> None:
    assert set(FIPS_TO_ISO.values()) <= set(all_countries())
    assert set(all_countries()) - set(FIPS_TO_ISO.values()) == {"ax", "bq", "um"}  # have no FIPS code of their own
    known = {"AS": "au", "AU": "at", "RS": "ru", "UK": "gb", "SF": "za", "NI": "ng", "CE": "lk", "RP": "ph", "GM": "de"}
    assert {code: FIPS_TO_ISO[code] for code in known} == known
    assert "KV" not in FIPS_TO_ISO


DOMAINS = st.sampled_from(
    ["a.com", "b.org", "www.a.com", "c.co.za", "news.c.co.za", "yahoo.com", "", "localhost", "\u00e9"]
)
COUNTRIES = st.sampled_from([("US", "United States"), ("UK", "United Kingdom"), ("KV", "Kosovo"), ("", ""), ("SF", "")])


@given(rows=st.lists(st.tuples(DOMAINS, COUNTRIES), min_size=1, max_size=30), data=st.data())
def test_every_row_is_kept_or_counted_and_order_does_not_matter(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, tuple[str, str]]], data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("lists")
    first = ("first.com", ("US", "United States"))  # so that one row can be used and the format is plain

    def load(body: list[tuple[str, tuple[str, str]]]) -> tuple[dict[str, Outlet], Counter[str]]:
        lines = ["\t".join((domain, code, name)) for domain, (code, name) in [first, *body]]
        return load_published(written(folder, "\n".join(lines)))

    outlets, skipped = load(rows)
    assert len(outlets) + skipped.total() == len([first, *rows]) - rows.count(("", ("", "")))
    again, skipped_again = load(data.draw(st.permutations(rows)))
    assert again == outlets
    assert skipped_again == skipped


def test_a_users_table_is_read_with_names_and_codes(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(
        "\ufeffname,note,domain,country\nThe Gazette,x,WWW.Gazette.example.com,UK\n,,kurier.at,Austria\n", "utf-8"
    )
    with pytest.raises(
        UserError, match=r"line 2: 'WWW.Gazette.example.com' is not a registered domain; write example.com"
    ):
        load_outlets(path)
    path.write_text("\ufeffname,note,domain,country\nThe Gazette,x,WWW.Gazette.com,UK\n,,kurier.at,Austria\n", "utf-8")
    assert load_outlets(path) == {
        "gazette.com": Outlet("gazette.com", "gb", "The Gazette"),
        "kurier.at": Outlet("kurier.at", "at", "kurier.at"),
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("domain,name\na.com,A\n", "line 1: no column country; an outlet table has domain, country, name"),
        ("", "line 1: no column domain, country, name"),
        ("domain,country,name\na.com,za,A\nb.com,atlantis,B\n", "line 3: unknown country 'atlantis'"),
        ("domain,country,name\na.com\n", "line 2: unknown country ''"),
        ("domain,country,name\n,za,A\n", "line 2: '' is not a domain: URL is empty"),
        (
            "domain,country,name\nlocalhost,za,A\n",
            "line 2: 'localhost' is not a domain: host 'localhost' has no public",
        ),
        ("domain,country,name\na.com,za,A\na.com,gb,A\n", "line 3: a.com is in gb here but in za further up; keep one"),
        ('domain,country,name\n"a.com,za,A\n', "not a CSV table"),
    ],
)
def test_a_wrong_table_is_refused_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(text, "utf-8")
    with pytest.raises(UserError) as raised:
        load_outlets(path)
    assert message in str(raised.value)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_an_unreadable_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot read the outlet table: No such file"):
        load_outlets(tmp_path / "absent.csv")
    latin = tmp_path / "latin.csv"
    latin.write_bytes("domain,country,name\na.com,za,Caf\u00e9\n".encode("latin-1"))
    with pytest.raises(UserError, match="not UTF-8"):
        load_outlets(latin)


def test_a_published_list_is_read_like_a_table(tmp_path: Path) -> None:
    gdelt = tmp_path / "MASTER-GDELTDOMAINSBYCOUNTRY-MAY2018.TXT"
    gdelt.write_text("smh.com.au\tAS\tAustralia\nbad row\n", "utf-8")
    assert load_outlets(gdelt) == {"smh.com.au": Outlet("smh.com.au", "au", "smh.com.au")}


def test_of_several_tables_the_first_wins(tmp_path: Path) -> None:
    mine, gdelt = tmp_path / "mine.csv", tmp_path / "gdelt.txt"
    mine.write_text("domain,country,name\npaper.com,ie,Paper\n", "utf-8")
    gdelt.write_text("paper.com\tUS\tUnited States\nother.com\tUS\tUnited States\n", "utf-8")
    first = load_outlet_tables([mine, gdelt])
    assert {domain: found.country for domain, found in first.items()} == {"paper.com": "ie", "other.com": "us"}
    assert load_outlet_tables([str(gdelt), mine])["paper.com"].country == "us"
    assert load_outlet_tables([]) == {}
    with pytest.raises(UserError, match=r"absent\.csv: cannot read"):
        load_outlet_tables([mine, tmp_path / "absent.csv"])


def test_a_users_own_table_stays_strict_whatever_columns_it_has(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("domain,country,name,pub_country\na.com,atlantis,A,USA\n", "utf-8")
    with pytest.raises(UserError, match="line 2: unknown country 'atlantis'"):
        load_outlets(path)
