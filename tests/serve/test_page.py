"""The page at `/`: its files, and what a person sees and does, in a real browser."""

import re
import shutil
import time
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from dateline.api import Continuation, Generation, Token
from dateline.places import PAPER_COUNTRIES, all_countries
from dateline.records import Place
from dateline.serve.app import PAGE
from dateline.serve.settings import Limits

HOSTILE = """<img src=x onerror="window.hit=1"><script>window.hit=1</script>&lt;b&gt;'"`${window.hit=1}"""
TOKENS, TEMPERATURE = 60, 0.7


def test_files_are_sent_with_a_policy_that_forbids_all_that_is_inline(server):
    page = server.http.get("/")
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    files = re.findall(r'(?:src|href)="([^"]*)"', page.text)
    assert sorted(files) == ["page/icon.svg", "page/page.css", "page/page.js"]
    for path in ("/", *(f"/{file}" for file in files), "/page/tiles.txt"):
        answer = server.http.get(path)
        assert answer.status_code == 200
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
        assert "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert not re.search(r"<style|<script[^>]*>[^<]|\son\w+=|style=", page.text)
    for file in PAGE.iterdir():
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", file.read_text(encoding="utf-8")), file


def test_nothing_else_is_sent(server):
    for path in ("/page/", "/page/../app.py", "/page/%2e%2e/app.py", "/page/..%2fapp.py", "/page/app.py", "/page"):
        assert server.http.get(path).status_code == 404, path


def test_the_map_has_every_country_once():
    rows = [line.split(" ") for line in (PAGE / "tiles.txt").read_text(encoding="utf-8").splitlines()]
    assert len({len(row) for row in rows}) == 1
    codes = [code for row in rows for code in row if code != ".."]
    assert len(codes) == len(set(codes)) > 170
    assert set(codes) <= set(all_countries())
    assert set(codes) >= set(PAPER_COUNTRIES)


# ---------------------------------------------------------------- in a browser


@pytest.fixture(scope="module")
def browser():
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed: pip install selenium")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    chromedriver = shutil.which("chromedriver")
    if not chromium or not chromedriver:
        pytest.skip("a browser is missing: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for word in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1280,900"):
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(chromedriver))
    yield driver
    driver.quit()


class Page:
    """What a person sees of the page, and what they do."""

    def __init__(self, driver, server):
        self.driver, self.server = driver, server

    def open(self, **link):
        self.driver.get("about:blank")
        self.driver.get(f"{self.server.url}/" + (f"#{urlencode(link)}" if link else ""))
        self.settled()

    def settled(self):
        """Waits until nothing is being written."""
        self.until(
            "return document.querySelectorAll('#map button').length > 0 && "
            "![...document.querySelectorAll('.column .wait')].some(one => one.textContent.startsWith('Writing')) && "
            "!document.querySelector('.text.old')"
        )

    def until(self, script, *given, seconds=20):
        end = time.monotonic() + seconds
        while not self.driver.execute_script(script, *given):
            assert time.monotonic() < end, f"never: {script}\n{self.driver.find_element('css selector', 'body').text}"
            time.sleep(0.03)

    def one(self, selector):
        return self.driver.find_element("css selector", selector)

    def texts(self):
        script = (
            "return [...document.querySelectorAll('.column')].map(one => "
            "[one.dataset.place, one.querySelector('.body').textContent])"
        )
        return dict(self.driver.execute_script(script))

    def focused(self):
        return self.driver.switch_to.active_element

    def wanted(self, place, headline, guidance=1, seed=1):
        """Returns what the server writes where it is asked directly."""
        answer = self.server.post(
            "/v1/compare", prompt=headline, places=[place], guidance=guidance, seed=seed, max_tokens=TOKENS,
            temperature=TEMPERATURE,
        )  # fmt: skip
        (text,) = answer.json()["data"][0]["continuations"]
        return "".join(piece for piece, _ in text["gains"]).lstrip() + ("\u2009…" if text["finish"] == "length" else "")

    def console(self):
        return [one["message"] for one in self.driver.get_log("browser") if one["level"] == "SEVERE"]


@pytest.fixture
def page(browser, server):
    browser.get_log("browser")
    return Page(browser, server)


def test_type_and_compare(page):
    from selenium.webdriver.common.keys import Keys

    page.open()
    assert page.texts() == {
        place: page.wanted(place, "Parliament passes the budget") for place in ("ng", "gb", "us", "in", "za", "none")
    }
    box = page.one("#headline")
    box.send_keys(Keys.CONTROL, "a")
    box.send_keys("Rain in Accra")
    (found,) = page.server.post("/v1/locate", input="Rain in Accra").json()["data"]
    first = page.driver.execute_script("return new Intl.DisplayNames(['en'], {type: 'region'}).of(arguments[0])",
                                       found["country"].upper())  # fmt: skip
    page.until("return document.querySelector('#bars .name')?.textContent === arguments[0]", first)
    shares = [one.text for one in page.driver.find_elements("css selector", "#bars .share")]
    wanted = sorted(found["posterior"].values(), reverse=True)[:10]
    assert shares == ["<1%" if one < 0.01 else ">99%" if one > 0.99 else f"{100 * one:.0f}%" for one in wanted]
    assert page.texts()["ng"] == page.wanted("ng", "Parliament passes the budget"), "typing alone writes nothing"
    box.send_keys(Keys.ENTER)
    page.settled()
    assert page.texts()["ng"] == page.wanted("ng", "Rain in Accra")
    page.one("#again").click()
    page.settled()
    assert page.texts()["gb"] == page.wanted("gb", "Rain in Accra", seed=2)
    tile = page.one("#map button[data-place=ke]")
    tile.click()
    assert "At most 6 places fit" in page.one("#notice").text
    page.one("#map button[data-place=us]").click()
    tile.click()
    page.settled()
    assert list(page.texts()) == ["ng", "gb", "in", "za", "none", "ke"]
    assert page.one("#map button[data-place=ke]").get_attribute("aria-pressed") == "true"
    assert page.console() == []
    outside = page.driver.execute_script(
        "return performance.getEntriesByType('resource').map(one => one.name)"
        ".filter(name => !name.startsWith(location.origin))"
    )
    assert outside == []


def test_guidance_and_a_link_that_gives_the_view_again(page):
    from selenium.webdriver.common.keys import Keys

    page.open(h="Rates rise", p="gb,punchng.com,none", g="1", s="5")
    assert list(page.texts()) == ["gb", "punchng.com", "none"]
    dial = page.one("#guidance")
    dial.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert page.one("#strength").text == "1.5"
    wanted = page.wanted("gb", "Rates rise", guidance=1.5, seed=5)
    assert wanted != page.wanted("gb", "Rates rise", seed=5)
    page.until("return document.querySelector('.column .body').textContent === arguments[0]", wanted)
    page.settled()
    link, texts = page.driver.current_url, page.texts()
    assert parse_qs(urlsplit(link).fragment) == {
        "h": ["Rates rise"],
        "p": ["gb,punchng.com,none"],
        "g": ["1.5"],
        "s": ["5"],
    }
    page.driver.get("about:blank")
    page.driver.get(link)
    page.settled()
    assert page.texts() == texts
    assert page.one("#headline").get_attribute("value") == "Rates rise"
    assert page.one("#guidance").get_attribute("value") == "1.5"
    page.driver.execute_script("location.hash = 'h=Rain&p=ng&g=0&s=5'")
    page.until("return document.querySelectorAll('.column').length === 1")
    page.settled()
    assert page.texts() == {"ng": page.wanted("ng", "Rain", guidance=0, seed=5)}
    page.open(h="Rain", p="ng", g="nonsense", s="-1")
    assert page.one("#guidance").get_attribute("value") == "1"


def test_hostile_strings_are_text(page, monkeypatch):
    def hostile(*given):
        tokens = (Token(HOSTILE, 2.0), Token(" and more", -1.0))
        yield Generation(HOSTILE, Place(), (Continuation(HOSTILE, (1, 2), "end", tokens),))

    with monkeypatch.context() as patch:
        patch.setattr("dateline.serve.work.compare", hostile)
        page.open(h=HOSTILE, p=f"ng,{HOSTILE}")
        assert list(page.texts().values()) == [f"{HOSTILE} and more"] * 2
        token = page.one(".column .token")
        page.driver.execute_script(
            "arguments[0].dispatchEvent(new PointerEvent('pointerover', {bubbles: true}))", token
        )
        assert HOSTILE[:20] in page.one("#tip").text
    page.open(h=HOSTILE, p=f"ng,{HOSTILE}")
    assert page.one("#headline").get_attribute("value") == HOSTILE
    assert "<script>window.hit=1</s" in list(page.texts().values())[1], "the error names what is wrong"
    assert page.driver.execute_script(
        "return [window.hit, document.images.length, document.querySelectorAll('body script, body b').length]"
    ) == [None, 0, 0]
    assert not [one for one in page.console() if "Content Security Policy" in one]


def test_everything_works_with_the_keyboard(page):
    from selenium.webdriver.common.keys import Keys

    page.open(h="Rain", p="ng")
    page.one("#write").send_keys(Keys.TAB)
    tile = page.focused()
    assert (tile.tag_name, tile.get_attribute("data-place")) == ("button", "ca"), "the map is one stop"
    tile.send_keys(Keys.ARROW_DOWN)
    tile = page.focused()
    assert tile.get_attribute("data-place") == "us"
    assert tile.get_attribute("aria-label").startswith("United States")
    tile.send_keys(Keys.ENTER)
    page.settled()
    assert list(page.texts()) == ["ng", "us"]
    page.focused().send_keys(Keys.TAB)
    assert page.focused().get_attribute("id") == "place"
    page.focused().send_keys("South Africa", Keys.ENTER)
    page.settled()
    assert list(page.texts()) == ["ng", "us", "za"]
    page.one("#again").send_keys(Keys.TAB)
    assert page.focused().get_attribute("aria-label") == "Remove Nigeria"
    page.focused().send_keys(Keys.TAB)
    text = page.focused()
    assert text.get_attribute("class") == "text"
    text.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_LEFT)
    answer = page.server.post(
        "/v1/compare", prompt="Rain", places=["ng"], seed=1, max_tokens=TOKENS, temperature=TEMPERATURE
    ).json()
    _, nats = answer["data"][0]["continuations"][0]["gains"][0]
    said = page.one("#tip").text
    assert f"{'−' if nats < 0 else '+'}{abs(nats):.2f} nats" in said
    assert "under Nigeria" in said
    text.send_keys(Keys.ESCAPE)
    assert not page.one("#tip").is_displayed()
    text.send_keys(Keys.SHIFT, Keys.TAB)
    page.focused().send_keys(Keys.ENTER)
    page.until("return document.querySelectorAll('.column').length === 2")


def test_errors_are_said_in_plain_words(page, start, model, browser):
    page.open(h="Rain", p="ng,Nigerai", g="1")
    assert "did you mean 'nigeria'" in page.texts()["Nigerai"]
    assert page.texts()["ng"] == page.wanted("ng", "Rain"), "the other column is not touched"
    page.open(h="", p="ng", g="1")
    assert page.texts()["ng"] == "Type a headline."
    with start(Limits(prompt_tokens=3)) as other:
        short = Page(browser, other)
        short.open(h="Rain is expected", p="ng")
        assert "this server reads at most 3" in short.texts()["ng"]
        short.until("return /this server reads at most 3/.test(document.querySelector('#bars .problem')?.textContent)")
    short.one("#again").click()
    short.settled()
    assert short.texts()["ng"] == "The server does not answer. Is it still running?"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_narrow_and_dark(page, scheme):
    def emulate(width):
        size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
        page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    try:
        for width in (320, 400, 900, 1280):
            emulate(width)
            page.open()
            assert page.driver.execute_script("return document.documentElement.scrollWidth") <= width
            tops = {round(one.rect["y"]) for one in page.driver.find_elements("css selector", ".column")}
            assert len(tops) == {320: 6, 400: 6, 900: 2, 1280: 2}[width]
        emulate(1800)
        assert len({round(one.rect["y"]) for one in page.driver.find_elements("css selector", ".column")}) == 2
        script = "const s = getComputedStyle(document.body); return [s.color, s.backgroundColor]"
        ink, paper = (sum(map(int, re.findall(r"\d+", one)[:3])) for one in page.driver.execute_script(script))
        assert (ink < paper) == (scheme == "light")
        assert abs(ink - paper) > 400
    finally:
        page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
