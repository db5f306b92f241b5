"""What all pages share: the frame, faults as pages, forms that lead back, files that browsers keep."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from stoma.api.answers import Asked
from stoma.api.pages import render
from stoma.errors import StoreUnavailable
from stoma.scheduler.manager import Scheduler
from tests.api.pages.conftest import Visitor
from tests.support.waiting import until

ADDRESSES = [
    "/",
    "/tasks",
    "/tasks/papers",
    "/tasks/repos",
    "/tasks/s/why",
    "/hosts",
    "/calendar",
    "/config",
    "/tasks/x",
]


@pytest.mark.parametrize("address", ADDRESSES)
def test_every_page_stands_without_scripts_and_has_nothing_written_into_it(
    visitor: Visitor, address: str
) -> None:
    page = visitor.open(address)
    assert page.status == (404 if address == "/tasks/x" else 200)
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "'unsafe" not in page.headers["content-security-policy"]
    assert len(page.all("h1")) == len(page.all("main")) == 1
    assert page.all("title")[0].text.endswith(" · Stoma")
    assert page.all("body a.skip")[0].get("href") == "#main"
    assert not page.all("style, [style], iframe, object")
    assert all(script.get("src") and not script.text for script in page.all("script"))
    for element in page.tree.iter():
        assert not [name for name in element.attrib if name.startswith("on")], element.tag
    # What is fetched lies here.
    for element in page.all("[src], link[rel=stylesheet]"):
        assert (element.get("src") or element.get("href")).startswith("/")
    # What is brought up to date in place is found again by its id.
    live = [part.get("id") for part in page.all("[data-live]")]
    assert all(live)
    ids = [element.get("id") for element in page.all("[id]")]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("address", ADDRESSES[:-1])
def test_the_frame_says_where_one_is(visitor: Visitor, address: str) -> None:
    here = [link.get("href") for link in visitor.open(address).all("nav [aria-current=page]")]
    assert here == ([] if address == "/config" else ["/" + address.split("/")[1]])


def test_what_is_broken_is_told_on_each_page_with_its_place_until_it_is_mended(
    visitor: Visitor, scheduler: Scheduler, tmp_path: Path
) -> None:
    file = tmp_path / "stoma.yaml"
    whole = file.read_text()
    assert not visitor.open("/tasks").all(".broken")
    file.write_text(whole.replace("collector: arxiv", "colector: arxiv <i>&"))
    scheduler.look_again()
    until(lambda: scheduler.errors)
    page = visitor.open("/tasks")
    said = page.said(".broken")
    assert "stoma.yaml:7:5" in said
    assert 'did you mean "collector"?' in said
    quoted = next(text for pre in page.all(".broken pre") if "colector" in (text := pre.text_content()))
    line, caret = quoted.rstrip().split("\n")
    # Below the first letter of what is wrong.
    assert line[len(caret) - 1 :].startswith("colector: arxiv <i>&")
    assert "<i>&" not in page.text
    assert "A file is broken" in visitor.open("/").said("h1")
    file.write_text(whole)
    scheduler.look_again()
    until(lambda: not scheduler.errors)
    assert not visitor.open("/tasks").all(".broken")


def test_faults_are_told_as_a_page_with_what_to_do(visitor: Visitor) -> None:
    page = visitor.open("/tasks/paper")
    assert page.status == 404
    assert page.said("h1") == 'There is no task "paper"'
    assert 'Did you mean "papers"?' in page.said()
    for address in ("/tasks/%3Cscript%3E", "/tasks/papers/why?date=%3Cscript%3E", "/tasks?%3Cscript%3E=1"):
        page = visitor.open(address)
        assert page.status in (400, 404)
        assert "<script>" not in page.text
    # Programs are told in their own way.
    assert visitor.open("/api/scheduler/tasks/paper").headers["content-type"].startswith("application/json")


def test_an_address_that_leads_nowhere_says_so_to_people_and_to_programs(visitor: Visitor) -> None:
    page = visitor.open("/nothing", Accept="text/html,*/*;q=0.8")
    assert (page.status, page.said("h1")) == (404, "There is nothing at this address")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "/" in page.links()
    assert visitor.open("/nothing").headers["content-type"].startswith("application/json")
    assert visitor.open("/tasks", {}, Accept="text/html").status == 405


def test_a_mistake_of_ours_is_a_page_too_and_says_nothing_of_its_inside(
    visitor: Visitor, scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(*_: object) -> None:
        raise RuntimeError("the inside")

    monkeypatch.setattr(scheduler.store.records, "newest", wrong)
    page = visitor.open("/")
    assert (page.status, page.said("h1")) == (500, "The request could not be answered")
    assert "inside" not in page.text


def test_faults_are_told_while_the_store_is_away(
    visitor: Visitor, scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> None:
        raise StoreUnavailable("the store does not answer", "look at it")

    monkeypatch.setattr(scheduler.board, "look", away)
    page = visitor.open("/")
    assert page.status == 503
    assert "The store does not answer" in page.said()
    assert "Look at it" in page.said()
    # What was seen last is told, not looked for again.
    monkeypatch.undo()
    scheduler.board.look()
    looks: list[int] = []
    monkeypatch.setattr(scheduler.board, "look", lambda: looks.append(1))
    assert render.fault(Asked(scheduler), 503, "gone").status == 503
    assert looks == []


def test_empty_fields_of_a_form_say_nothing(visitor: Visitor) -> None:
    assert visitor.open("/tasks?q=&state=").status == 200
    # A program that leaves out what it wants to say has made a mistake.
    assert visitor.open("/api/records?kind=").status == 400


def test_forms_lead_back_to_this_site_only(scheduler: Scheduler) -> None:
    def back(wanted: str) -> str:
        return render.back(Asked(scheduler, body={"back": wanted}), "/tasks")

    assert back("/tasks?state=off#task-s") == "/tasks?state=off#task-s"
    for wanted in (
        "",
        "https://example.org",
        "//example.org",
        "/\\example.org",
        "/\t/example.org",
        "/a\r\nSet-Cookie: x",
        "/ä",
        "javascript:1",
    ):
        assert back(wanted) == "/tasks"
    assert render.back(Asked(scheduler, body=None), "/tasks") == "/tasks"


def test_pages_of_other_sites_can_press_nothing(visitor: Visitor, scheduler: Scheduler) -> None:
    assert visitor.open("/pause", {}, **{"Sec-Fetch-Site": "cross-site"}).status == 403
    assert scheduler.store.agenda.paused_since() is None
    assert visitor.open("/pause", {}, **{"Sec-Fetch-Site": "same-origin"}).status == 303


def test_style_and_script_may_be_kept_for_their_address_changes_with_them(visitor: Visitor) -> None:
    text = visitor.open("/").text
    found = re.findall(r'(?:href|src)="(/static/[^"]+)"', text)
    assert {address.partition("?")[0] for address in found} >= {
        "/static/style.css",
        "/static/app.js",
        "/static/mark.svg",
    }
    for address in found:
        answer = visitor.open(address)
        assert (answer.status, answer.headers["cache-control"]) == (
            200,
            "public, max-age=31536000, immutable",
        )
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert visitor.open("/static/..%2Frender.py").status == 404


def test_the_script_makes_nothing_of_texts(visitor: Visitor) -> None:
    script = visitor.open("/static/app.js").text
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function", script
    )
    assert len(script) < 8_000


def test_the_page_about_the_dashboard_names_pages_that_there_are(visitor: Visitor) -> None:
    text = (Path(__file__).parents[3] / "docs" / "dashboard.md").read_text()
    named = [
        address.replace("ID", "papers") for address in re.findall(r"^\|.*?`(/[^`]*)`", text, re.MULTILINE)
    ]
    assert len(named) > 9
    assert {address: visitor.open(address).status for address in named} == dict.fromkeys(named, 200)
