"""The page in a real browser: what is highlighted, what the filters find, and how quickly."""

import time

import pytest

from n2r_jax.report.page import render
from tests.browser import chromium
from tests.report import made


@pytest.fixture(scope="module")
def browser():
    with chromium() as started:
        yield started


@pytest.fixture
def opened(browser, tmp_path):
    def open_page(content):
        path = tmp_path / "report.html"
        path.write_text(render(content), encoding="utf-8")
        browser.get(path.as_uri())
        severe = [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
        assert not severe
        return browser

    return open_page


def of(browser, script):
    return browser.execute_script(f"return {script}")


def texts(browser):
    return of(browser, "[...document.querySelectorAll('h3')].map(h => h.textContent.split(' ')[0])")


def choose(browser, name, value):
    """Set a field as a user would; the seconds until the list is drawn again."""
    return browser.execute_async_script(
        """const [name, value, done] = arguments;
        const field = document.getElementById("filters").elements[name];
        if (field.type === "checkbox") field.checked = value; else field.value = value;
        const begin = performance.now();
        new MutationObserver((_, self) => {
            self.disconnect();
            requestAnimationFrame(() => setTimeout(() => done((performance.now() - begin) / 1e3)));
        }).observe(document.getElementById("count"), { childList: true, characterData: true });
        field.dispatchEvent(new Event("input", { bubbles: true }));""",
        name,
        value,
    )


def two_runs():
    run = made.of_run
    return [
        made.example(0, "very bad room", gold=[1, 2], runs=[run(0, 0.9, [0, 2], 0.67), run(0)]),
        made.example(1, "fine", label=1, runs=[run(0, 0.6), run(1, 0.8)]),
        made.example(2, ["a b", "good"], label=1, gold=[0, 1], runs=[run(1, 1, [0, 1], 1), run(1)]),
    ]


def test_the_selection_and_the_gold_are_marked_and_said_aloud(opened):
    browser = opened(made.content(two_runs(), ("one", "two")))
    first = "document.querySelector('.runs > div .text')"
    assert of(browser, f"{first}.textContent") == (
        "[selected: very] [selected and marked by a human: bad] room"
    )
    assert of(browser, f"[...{first}.querySelectorAll('mark')].map(m => m.lastChild.textContent)")
    assert of(browser, f"{first}.querySelector('mark u') !== null")
    assert of(browser, f"getComputedStyle({first}.querySelector('mark')).fontWeight") == "700"
    heading = of(browser, "document.querySelectorAll('h4')[2].textContent")
    assert heading == "one: neg (60.0 %), wrong"


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"search": "GOOD"}, ["t2"]),
        ({"search": "t1"}, ["t1"]),
        ({"outcome": "wrong"}, ["t1"]),
        ({"outcome": "wrong", "run": "1"}, []),
        ({"label": "1"}, ["t1", "t2"]),
        ({"predicted": "0"}, ["t0", "t1"]),
        ({"low": "70"}, ["t2"]),
        ({"high": "70"}, ["t0"]),
        ({"disagree": True}, ["t1"]),
        ({"order": "best"}, ["t2", "t0", "t1"]),
        ({"order": "unsure"}, ["t1", "t0", "t2"]),
    ],
)
def test_filters_find(opened, fields, found):
    browser = opened(made.content(two_runs(), ("one", "two")))
    for name, value in fields.items():
        choose(browser, name, value)
    assert texts(browser) == found
    assert of(browser, "document.getElementById('count').textContent") == f"{len(found)} of 3 texts"
    of(browser, "document.querySelector('button[type=reset]').click()")
    time.sleep(0.1)
    assert len(texts(browser)) == 3


def test_pairs_are_parted_gaps_struck_out_and_answers_listed(opened):
    pair = made.example(0, "a b c d", runs=[made.of_run(mask=[0, 1], unread=[1, 2])])
    question = made.example(1, "which ?", label=1, runs=[made.of_run(answer=[1, 2])])
    browser = opened(
        made.content([pair | {"second": 2, "unread": 7}, question | {"choices": ["x z", "y <b>"]}])
    )
    assert of(browser, "document.querySelector('.text br').nextSibling.textContent") == "c d"
    shown = of(browser, "document.querySelector('.text').textContent")
    assert shown.endswith("[not read: b]c d … 7 more tokens, read by no run")
    assert of(browser, "document.querySelector('.unread .aloud').textContent") == "[not read: "
    answers = of(browser, "[...document.querySelectorAll('.choices li')].map(l => l.textContent)")
    assert answers == ["neg: x [selected: z] (predicted)", "so & so: y <b> (true)"]
    assert of(browser, "document.querySelector('.choices mark').textContent").endswith("z]")
    choose(browser, "search", "y <b")
    assert texts(browser) == ["t1"]


def test_html_in_texts_never_runs_and_nothing_is_fetched(opened):
    hostile = [made.HOSTILE, made.ATTRIBUTE, "<img src=http://127.0.0.1:9/x>"]
    run = made.of_run(mask=[0, 1])
    examples = [made.example(made.ATTRIBUTE, hostile, gold=[1, 3], runs=[run])]
    browser = opened(made.content(examples, labels=(made.HOSTILE, made.ATTRIBUTE)))
    assert browser.title == f"a {made.HOSTILE} title"
    shown = of(browser, "document.querySelector('.text').textContent")
    assert made.HOSTILE in shown and made.ATTRIBUTE in shown
    assert of(browser, "document.querySelectorAll('#list script, #list img').length") == 0
    assert of(browser, "performance.getEntriesByType('resource').length") == 0


def test_five_thousand_long_texts_open_and_filter_without_lag(opened):
    started = time.perf_counter()
    browser = opened(made.content(made.many(5000, 250)))
    assert time.perf_counter() - started < 15  # rendering of the file included
    assert 0 < len(texts(browser)) <= 120
    seconds = {
        name: choose(browser, name, value)
        for name, value in (("search", "ta"), ("low", "50"), ("order", "worst"), ("label", "1"))
    }
    assert max(seconds.values()) < 1, seconds
    print({name: round(value, 3) for name, value in seconds.items()})
    drawn = len(texts(browser))
    of(browser, "window.scrollTo(0, document.body.scrollHeight)")
    time.sleep(0.3)
    assert len(texts(browser)) > drawn


def test_a_graph_is_drawn_with_its_reasons_filled_and_its_gold_ringed(opened):
    graph = made.example(0, "C O N", gold=[1, 3], runs=[made.of_run(0, 0.9, [0, 2], 0.5)])
    graph |= {"edges": [0, 1, 1, 2, 2, 2], "places": [0, 0, 500, 1000, 1000, 0]}
    browser = opened(made.content([graph], graphs=True))
    svg = "document.querySelector('article svg')"
    title = of(browser, f"{svg}.querySelector('title').textContent")
    assert title == "Graph of 3 nodes; selected: 0, 1; marked by a human: 1, 2"
    assert of(browser, f"{svg}.getAttribute('role')") == "img"
    nodes = f"[...{svg}.querySelectorAll('circle.node')]"
    assert of(browser, f"{nodes}.map(n => getComputedStyle(n).fill)") == [
        "rgb(34, 34, 34)",
        "rgb(34, 34, 34)",
        "rgb(255, 255, 255)",
    ]
    aloud = of(browser, f"{nodes}.map(n => n.firstChild.textContent)")
    assert aloud == [
        "0: C, selected",
        "1: O, selected and marked by a human",
        "2: N, marked by a human",
    ]
    assert of(browser, f"{svg}.querySelectorAll('.ring').length") == 2
    assert of(browser, f"{svg}.querySelectorAll('line').length") == 2  # and an edge to itself
    assert of(browser, f"{svg}.querySelectorAll('.edge.selected').length") == 1
    assert of(browser, "document.querySelector('nav').textContent").split()[2] == "Graphs"
