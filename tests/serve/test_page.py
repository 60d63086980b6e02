"""The page in a real browser: what a user does, and what a hostile text cannot do."""

import json

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from n2r_jax.data.tokenize import tokenize
from tests.browser import chromium
from tests.serve import served

TEXT = "The staff were rude, but the  room — naïve décor 🛏 — was lovely! I couldn't sleep."
SCRIPT = "<img src=x onerror='window.hit=1'> <script>window.hit=1</script> was lovely"


@pytest.fixture(scope="module")
def url():
    with served.listening(served.app()) as found:
        yield found


@pytest.fixture(scope="module")
def browser():
    with chromium() as driver:
        yield driver


@pytest.fixture
def page(browser, url):
    """The page, freshly loaded; nothing may be complained of in its console."""
    browser.get(url)
    page = Page(browser)
    page.until(lambda: "n2r_mmi, best" in page.of("about").text)
    yield page
    refused = [entry for entry in browser.get_log("browser") if "422" not in entry["message"]]
    assert refused == []


class Page:
    """What a user sees and does."""

    def __init__(self, browser):
        self.browser = browser

    def of(self, name):
        return self.browser.find_element(By.ID, name)

    def fields(self, selector):
        return self.browser.find_elements(By.CSS_SELECTOR, selector)

    def until(self, condition):
        WebDriverWait(self.browser, 10, 0.02).until(lambda _: condition())

    def run(self, script, *arguments):
        return self.browser.execute_script(script, *arguments)

    def explain(self, text):
        self.run("document.getElementById('text').value = arguments[0]", text)
        self.of("explain").click()
        self.until(lambda: self.of("words").get_property("textContent") == text)

    def slide(self, percent):
        slider = "const s = document.getElementById('share'); s.value = arguments[0];"
        self.run(f"{slider} s.dispatchEvent(new Event('input'))", percent)

    def texts(self, selector):
        """Of all that match at one moment: the page may be drawn anew at any other."""
        script = "return [...document.querySelectorAll(arguments[0])].map((e) => e.textContent)"
        return self.run(script, selector)

    def marked(self):
        return self.texts("#words mark")

    def away(self):
        return "".join(self.texts("#words .away"))

    def predictions(self, view):
        return self.texts(f"tr[data-view={view}] td")


def share(part):
    """How the page tells of the best-scored part of TEXT."""
    tokens = len(tokenize(TEXT)[0])
    return f"{round(part * tokens)} of {tokens} tokens"


def test_a_text_is_typed_and_its_label_shown_with_its_reasons(page):
    page.of("text").send_keys("The staff were rude")
    page.of("explain").click()
    page.until(lambda: page.of("result").is_displayed())
    assert page.of("label").text.startswith(("negative (", "positive ("))
    assert page.of("words").text == "The staff were rude"
    used = page.browser.find_element(By.CSS_SELECTOR, "tr.used")
    assert used.get_dom_attribute("data-view") == "rationale"


def test_the_slider_changes_the_selection_and_the_prediction(page):
    page.explain(TEXT)
    own = page.predictions("rationale")
    page.slide(100)
    page.until(lambda: " 100.0 %" in page.of("selected").text)
    assert "".join(page.marked()) == TEXT.strip() and not page.of("own").is_selected()
    assert page.predictions("rationale") == page.predictions("whole") != own
    assert float(page.of("sufficiency").text) == pytest.approx(0, abs=5e-4)
    page.slide(10)
    page.until(lambda: page.of("selected").text.startswith(share(0.1)))
    assert page.predictions("rationale") != page.predictions("whole")
    page.of("own").click()
    page.until(lambda: page.predictions("rationale") == own)


def test_the_rationale_is_kept_alone_or_removed(page):
    page.explain(TEXT)
    page.slide(30)
    page.until(lambda: page.of("selected").text.startswith(share(0.3)))
    marked = "".join(page.marked())
    for view in ("rest", "rationale", "whole"):
        page.browser.find_element(By.CSS_SELECTOR, f"input[value={view}]").click()
        away = page.away()
        if view == "rest":
            assert away == marked
        else:
            assert bool(away) == (view == "rationale") and not (away and marked in away)
    whole, rest = (float(page.predictions(v)[0].split()[0]) / 100 for v in ("whole", "rest"))
    told = abs(float(page.of("comprehensiveness").text))
    assert told == pytest.approx(abs(whole - rest), abs=2e-3)


def test_markup_in_a_text_is_shown_and_never_run(page):
    page.explain(SCRIPT)
    page.slide(50)
    page.until(lambda: page.marked())
    assert page.of("words").find_elements(By.CSS_SELECTOR, "img, script") == []
    assert page.run("return window.hit") is None


def test_a_file_is_explained_opened_and_given_back(page, tmp_path):
    rows = [
        {"id": "a", "text": "The room was lovely"},
        {"id": "<b>", "text": SCRIPT},
        {"tokens": ["rude", "staff"]},
    ]
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    page.of("file").send_keys(str(file))
    page.until(lambda: page.of("count").text == "3 rows.")
    items = page.browser.find_elements(By.CSS_SELECTOR, "#list li")
    assert [item.text.split(": ")[0] for item in items] == ["Open a", "Open <b>", "Open 3"]
    items[1].find_element(By.TAG_NAME, "button").click()
    page.until(lambda: page.of("words").get_property("textContent") == SCRIPT)
    assert page.run("return window.hit") is None
    behaviour = {"behavior": "allow", "downloadPath": str(tmp_path)}
    page.browser.execute_cdp_cmd("Page.setDownloadBehavior", behaviour)
    page.of("download").click()
    given = tmp_path / "explained.jsonl"
    page.until(given.exists)
    found = [json.loads(line) for line in given.read_text(encoding="utf-8").splitlines()]
    assert [row["id"] for row in found] == ["a", "<b>", "3"] and found[1]["text"] == SCRIPT


def test_a_pair_is_shown_as_two_texts(page):
    second = "It was 5 o'clock ."
    page.run("document.getElementById('second').value = arguments[0]", second)
    page.run("document.getElementById('text').value = arguments[0]", "The staff were rude")
    page.of("explain").click()
    both = f"The staff were rude\n{second}"
    page.until(lambda: page.of("words").get_property("textContent") == both)


def test_a_question_is_asked_with_its_answers_and_shows_the_reasons_for_each(browser, tmp_path):
    answers = ["it is blue", "red <b", "grey"]
    with served.listening(served.app(served.served_questions)) as url:
        browser.get(url)
        page = Page(browser)
        page.until(lambda: page.of("choices").is_displayed())
        assert not page.of("pair").is_displayed()
        for field, answer in zip(page.fields("#choices input"), answers, strict=True):
            field.send_keys(answer)
        page.of("text").send_keys("which is red ?")
        page.of("explain").click()
        page.until(lambda: page.of("answers").is_displayed())
        shown = [" ".join(tokenize(answer)[0]) for answer in answers]
        best = [field.is_selected() for field in page.fields("#answers input")].index(True)
        assert page.of("label").text.startswith(f"{best}: {shown[best]} (")
        for field, answer in zip(page.fields("#answers input"), shown, strict=True):
            field.click()
            assert page.of("words").text == f"which is red ?\n{answer}"
        page.slide(100)
        page.until(lambda: " 100.0 %" in page.of("selected").text)
        assert page.of("words").text.endswith(shown[-1])  # the answer that was looked at stays
        file = tmp_path / "rows.jsonl"
        file.write_text(json.dumps({"text": "which ?", "choices": ["a", "b", "c"]}) + "\n")
        page.of("file").send_keys(str(file))
        page.until(lambda: page.of("count").text == "1 rows.")
        page.fields("#list button")[0].click()
        page.until(lambda: page.of("words").text.startswith("which ?"))
        assert [f.get_property("value") for f in page.fields("#choices input")] == ["a", "b", "c"]
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []


def test_what_is_refused_is_told_in_the_page(page, tmp_path):
    page.run("document.getElementById('text').value = '  '")
    page.of("explain").click()
    page.until(lambda: page.of("problem").is_displayed())
    assert "text is empty" in page.of("problem").text
    file = tmp_path / "rows.jsonl"
    file.write_text('{"text": "fine"}\n{broken\n')
    page.of("file").send_keys(str(file))
    page.until(lambda: "line 2: not JSON" in page.of("problem").text)
    page.explain("fine again")
    assert not page.of("problem").is_displayed()


def test_the_openapi_page_works_without_any_network(browser, url):
    browser.get(f"{url}/docs")
    page = Page(browser)
    page.until(lambda: "/explain/rows" in browser.find_element(By.TAG_NAME, "body").text)
    sources = page.run("return performance.getEntriesByType('resource').map(e => e.name)")
    assert sources and all(source.startswith((url, "data:")) for source in sources)
