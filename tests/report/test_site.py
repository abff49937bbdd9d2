"""The pages in a real browser, opened from disk: the made-up study's hostile one among the committed reports'.

Oracles: report.json for what the filter shows; `gradstudy cite` for what is copied; the browser's own layout, log and
list of requests; axe-core's rules of accessibility.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_core_python.selenium import Axe
from selenium.webdriver import ActionChains, Chrome, ChromeOptions, Keys
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.wait import WebDriverWait

from gradstudy.report import cite, ledger, page

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = [
    pytest.mark.needs_browser,
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="no browser: apt-get install chromium chromium-driver"),
]

COMMITTED = Path(__file__).parents[2] / "reports" / "standard"
STUDIES = ["made-up", *sorted(path.parent.name for path in COMMITTED.glob("*/report.json"))]
PAGES = ["index.html", *(f"{study}/index.html" for study in STUDIES)]
FOCUSABLE = "a[href], button, select, summary, [tabindex='0']"


@pytest.fixture(scope="module")
def site(report: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The made-up report and the committed ones, with the pages that are made of them now."""
    folder = tmp_path_factory.mktemp("site")
    shown = shutil.ignore_patterns("tables", "*.svg", "*.pdf", "index.html")
    shutil.copytree(COMMITTED, folder / "reports" / "standard", ignore=shown)
    shutil.copytree(report, folder / "reports" / "standard" / "made-up", ignore=shown)
    reports = ledger.load_all(folder / "reports" / "standard")
    for content, place in reports:
        (place / "index.html").write_bytes(page.study_page(content, place))
    (folder / "reports" / "standard" / "index.html").write_bytes(page.index_page(reports, "standard"))
    return folder


def started() -> Chrome:
    options = ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in ("--headless", "--disable-dev-shm-usage", "--disable-background-networking"):
        options.add_argument(argument)
    if os.geteuid() == 0:  # Chromium's sandbox does not start as root
        options.add_argument("--no-sandbox")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return Chrome(options, Service(DRIVER))


@pytest.fixture(scope="module")
def browser() -> Iterator[Chrome]:
    driver = started()
    yield driver
    driver.quit()


@pytest.fixture
def opened(browser: Chrome, site: Path) -> Callable[..., Chrome]:
    """Opens a page: how wide, in which colours, for which medium, with or without script."""

    def open_page(name: str, width: int = 1280, scheme: str = "light", media: str = "", script: bool = True) -> Chrome:
        size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        colours = [{"name": "prefers-color-scheme", "value": scheme}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": colours})
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not script})
        browser.get((site / "reports" / "standard" / name).as_uri())
        return browser

    return open_page


@pytest.fixture(scope="module")
def claims(site: Path) -> list[dict[str, Any]]:
    return [claim for report, _ in ledger.load_all(site / "reports" / "standard") for claim in report["claims"]]


def shown(browser: Chrome) -> list[str]:
    """Ids of the claims whose rows are seen, in the order of the alphabet."""
    return sorted(
        browser.execute_script(
            "return [...document.querySelectorAll('#claims tr[data-verdict]')]"
            ".filter((row) => row.checkVisibility()).map((row) => row.querySelector('a').textContent)"
        )
    )


def headless_groups(browser: Chrome) -> int:
    """How many papers stand above no row, or rows under no paper."""
    return browser.execute_script(
        "return [...document.querySelectorAll('#claims tbody')].filter((group) => group.checkVisibility()"
        " !== [...group.querySelectorAll('tr[data-verdict]')].some((row) => row.checkVisibility())).length"
    )


def ids(claims: list[dict[str, Any]], verdict: str = "", paper: str = "") -> list[str]:
    return sorted(c["id"] for c in claims if c["verdict"].startswith(verdict) and paper in c["source"])


def choose(browser: Chrome, name: str, value: str) -> None:
    Select(browser.find_element(By.NAME, name)).select_by_value(value)


def test_the_filter_shows_the_rows_of_a_verdict_and_of_a_paper_and_says_how_many(opened, claims):
    browser = opened("index.html")
    told = browser.find_element(By.ID, "shown")
    assert shown(browser) == ids(claims)
    for verdict, paper in (("REFUTED", ""), ("", "yang2019"), ("REFUTED", "yang2019"), ("undecided", "pascanu2013")):
        choose(browser, "verdict", verdict)
        choose(browser, "paper", paper)
        expected = ids(claims, verdict, paper)
        assert 0 < len(expected) < len(claims)
        assert shown(browser) == expected
        assert told.text == f"{len(expected)} of {len(claims)} claims are shown."
        assert headless_groups(browser) == 0
    assert told.get_attribute("role") == "status"
    browser.find_element(By.CSS_SELECTOR, "#filter button").click()
    WebDriverWait(browser, 5).until(lambda _: told.text.startswith(f"{len(claims)} of"))
    assert shown(browser) == ids(claims)


def test_a_claim_of_two_papers_is_found_under_both(opened, claims):
    both = next(claim["id"] for claim in claims if claim["source"].startswith("poole2016") and ";" in claim["source"])
    browser = opened("index.html")
    for paper in ("poole2016", "schoenholz2017"):
        choose(browser, "paper", paper)
        found = shown(browser)
        assert both in found
        assert len(found) < 10


def test_without_script_all_rows_are_there_and_nothing_that_would_not_work(opened, claims):
    browser = opened("index.html", script=False)
    assert browser.execute_script("return document.querySelectorAll('[data-scripted]:not([hidden])').length") == 0
    assert shown(browser) == ids(claims)
    assert browser.find_element(By.ID, "shown").text == f"{len(claims)} of {len(claims)} claims are shown."
    scripted = browser.find_elements(By.CSS_SELECTOR, "[data-scripted]")
    assert len(scripted) > len(STUDIES)
    assert not any(part.is_displayed() for part in scripted)
    assert not browser.find_elements(By.CSS_SELECTOR, "#claims [hidden]")


def allow(browser: Chrome, setting: str) -> None:
    for name in ("clipboard-read", "clipboard-write"):
        browser.execute_cdp_cmd("Browser.setPermission", {"permission": {"name": name}, "setting": setting})


def copy(browser: Chrome, button: str) -> tuple[Any, str]:
    """The element that is copied from, and what the page then says."""
    found = browser.find_element(By.CSS_SELECTOR, f"button[data-copies='{button}']")
    told = found.find_element(By.XPATH, "following-sibling::*[1]")
    ActionChains(browser).move_to_element(found).perform()
    found.click()
    WebDriverWait(browser, 5).until(lambda _: told.text)
    assert told.get_attribute("role") == "status"
    return browser.find_element(By.ID, button), told.text


CITED = [
    ("made-up/index.html", "bibtex-figure-growth", "made-up/growth"),
    ("made-up/index.html", "bibtex-report", "made-up"),
    ("shared-weights/index.html", "bibtex-figure-bulk_of_the_spectra", "shared-weights/bulk_of_the_spectra"),
    ("index.html", "bibtex-spectral-conditions", "spectral-conditions/growth_against_bound"),
]


@pytest.mark.parametrize(("name", "button", "target"), CITED)
def test_the_button_copies_the_bibtex_that_cite_prints(opened, site: Path, name: str, button: str, target: str):
    browser = opened(name)
    allow(browser, "granted")
    assert copy(browser, button)[1] == "Copied."
    read = "navigator.clipboard.readText().then(arguments[arguments.length - 1])"
    entry, _, rest = cite.cite(target, site).partition("\n}")
    assert browser.execute_async_script(read) == entry + "\n}"
    assert entry.startswith("@misc{gradstudy-")
    assert "@" not in rest.partition("\\cite")[0]


@pytest.mark.parametrize(("name", "button", "target"), CITED[:1] + CITED[-1:])
def test_where_the_clipboard_is_refused_the_bibtex_is_selected(opened, site: Path, name: str, button: str, target: str):
    browser = opened(name)
    allow(browser, "denied")
    source, told = copy(browser, button)
    assert told.startswith("Selected: press Ctrl+C")
    assert source.is_displayed()
    chosen = browser.execute_script("return getSelection().toString()")
    assert chosen == cite.cite(target, site).partition("\n}")[0] + "\n}"


@pytest.mark.parametrize("name", PAGES)
def test_on_a_phone_nothing_scrolls_sideways_but_tables_in_their_box(opened, name: str):
    browser = opened(name, width=360)
    browser.execute_script("for (const part of document.querySelectorAll('details')) part.open = true")
    wide = browser.execute_script(
        """const out = [];
        for (const part of document.querySelectorAll("body *")) {
          const right = part.getBoundingClientRect().right;
          if (right > 360.5 && !part.closest(".scroll table")) out.push([part.outerHTML.slice(0, 99), right]);
        }
        return [out, document.documentElement.scrollWidth];"""
    )
    assert wide == [[], 360]


@pytest.mark.parametrize("name", ["index.html", "made-up/index.html"])
def test_all_that_can_be_used_is_reached_by_keyboard_in_the_order_of_the_page(opened, name: str):
    browser = opened(name)
    expected = browser.execute_script(
        "return [...document.querySelectorAll(arguments[0])].filter((part) => part.checkVisibility())"
        ".map((part) => part.outerHTML.slice(0, 200))",
        FOCUSABLE,
    )
    browser.execute_script(
        "window.reached = []; document.addEventListener('focusin', ({target: at}) => reached.push("
        "[at.outerHTML.slice(0, 200), getComputedStyle(at).outlineStyle, getComputedStyle(at).outlineWidth]))"
    )
    ActionChains(browser).send_keys(Keys.TAB * len(expected)).perform()
    found = browser.execute_script("return reached")
    reached = [html for html, _, _ in found]
    unseen = [html for html, outline, width in found if outline == "none" or width == "0px"]
    assert reached == expected
    assert unseen == []
    assert 'class="skip"' in reached[0]
    kinds = {re.split("[ >]", html)[0] for html in reached}
    assert {"<a", "<button", "<summary", "<div"} | ({"<select"} if name == "index.html" else set()) == kinds


def test_the_skip_link_leads_to_the_content(opened):
    browser = opened("index.html")
    skip = browser.find_element(By.CLASS_NAME, "skip")
    assert skip.location["y"] + skip.size["height"] <= 0
    ActionChains(browser).send_keys(Keys.TAB).perform()
    assert skip.location["y"] >= 0
    ActionChains(browser).send_keys(Keys.ENTER).send_keys(Keys.TAB).perform()
    inside = browser.execute_script("return document.querySelector('main').contains(document.activeElement)")
    assert inside


def test_the_filter_and_the_button_work_by_keyboard(opened, claims):
    browser = opened("index.html")
    browser.find_element(By.NAME, "verdict").send_keys("R")
    assert shown(browser) == ids(claims, "REFUTED")
    allow(browser, "granted")
    button = browser.find_element(By.CSS_SELECTOR, "button[data-copies]")
    button.send_keys(Keys.ENTER)
    WebDriverWait(browser, 5).until(lambda _: button.find_element(By.XPATH, "following-sibling::*[1]").text)


@pytest.mark.parametrize("name", PAGES)
def test_every_picture_is_there_and_has_words(opened, site: Path, name: str):
    browser = opened(name)
    pictures = browser.find_elements(By.TAG_NAME, "img")
    assert pictures
    for picture in pictures:
        alt, source = picture.get_attribute("alt").strip(), Path(picture.get_attribute("src"))
        assert len(alt) > 20
        assert source.name not in alt  # the words of the picture, not its file
        assert browser.execute_script("return arguments[0].naturalWidth", picture) > 100


@pytest.mark.parametrize("name", PAGES)
def test_a_page_asks_for_nothing_but_files_and_complains_of_nothing(opened, name: str):
    browser = opened("index.html")
    for kind in ("browser", "performance"):
        browser.get_log(kind)
    opened(name)
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]
    assert len(asked) > 1
    assert [url for url in asked if not url.startswith("file://")] == []
    assert browser.get_log("browser") == []


def test_hostile_text_is_text_and_only_our_script_is_executed(opened, synthetic):
    for name in ("index.html", "made-up/index.html"):
        browser = opened(name)
        words = browser.find_element(By.TAG_NAME, "body").text
        assert "Growth <script>alert(1)</script> of the #emph[product] & its $bound$." in words
        assert words.count(synthetic.HOSTILE) >= 3
        (script,) = browser.find_elements(By.TAG_NAME, "script")
        assert script.get_attribute("textContent") == page._SCRIPT.read_text(encoding="utf-8")
        assert browser.find_elements(By.CSS_SELECTOR, "iframe, object, embed, link, base, [onclick], [onerror]") == []
        # Were markup to slip through all the same, the page's policy keeps it from being executed.
        browser.execute_script(
            "const script = document.createElement('script'); script.textContent = 'window.evil = 1';"
            "document.body.append(script); document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=evil=2>')"
        )
        assert (
            browser.execute_async_script(
                "const done = arguments[arguments.length - 1]; setTimeout(() => done(typeof window.evil), 200)"
            )
            == "undefined"
        )
        browser.get_log("browser")


# All pages are of these two templates; on those of large studies axe takes most of a minute.
@pytest.mark.parametrize("name", ["index.html", "made-up/index.html"])
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (360, "dark")])
def test_axe_finds_nothing_that_keeps_anybody_out(opened, name: str, width: int, scheme: str):
    browser = opened(name, width=width, scheme=scheme)
    browser.execute_script("for (const part of document.querySelectorAll('details')) part.open = true")
    found = Axe().run(browser)
    wrong = [(rule["id"], node["failureSummary"]) for rule in found["violations"] for node in rule["nodes"]]
    assert wrong == []
    assert len(found["passes"]) > 20


def test_printed_it_is_black_on_white_and_without_what_paper_cannot_do(opened, claims):
    browser = opened("index.html", scheme="dark", media="print")
    useless = "return [...document.querySelectorAll(arguments[0])].filter((part) => part.checkVisibility()).length"
    assert browser.execute_script(useless, "button, select, nav, .skip, details") == 0
    assert shown(browser) == ids(claims)
    body = browser.find_element(By.TAG_NAME, "body")
    assert body.value_of_css_property("background-color") == "rgba(255, 255, 255, 1)"
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 1280
