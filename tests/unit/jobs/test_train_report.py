"""The report of a training says which is better, shot by shot, and shows the picture."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import numpy as np

from facecap_addon.jobs.training.train_evaluation import Comparison, ShotErrors
from facecap_addon.jobs.training.train_report import write_train_report


class Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.text: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_the_report_says_plainly_which_is_better(tmp_path: Path) -> None:
    picture = tmp_path / "progress.png"
    picture.write_bytes(b"\x89PNG")
    time_s = np.arange(50) / 25
    shots = (
        ShotErrors("good", time_s, np.full(50, 0.5), np.full(50, 1.0)),
        ShotErrors("<bad>", time_s, np.full(50, 2.0), np.full(50, 1.25)),
    )
    write_train_report(tmp_path / "x.html", "hero <1>", ["It went well."], picture, Comparison((), shots))
    page = Page()
    page.feed((tmp_path / "x.html").read_text(encoding="utf-8"))
    text = " ".join(page.text)
    for words in ("hero <1>", "It went well.", "network is better", "network is NOT better", "<bad>", "0.50", "1.25"):
        assert words in text
    assert sum(tag == "path" for tag, _ in page.tags) == 4
    assert any(tag == "img" and str(facts["src"]).startswith("data:image/png") for tag, facts in page.tags)
    # Nothing is fetched from anywhere.
    assert not any(str(facts.get("src", "data:")).startswith("http") for _, facts in page.tags)
    off = np.zeros((8, 8, 3), np.uint8)
    write_train_report(tmp_path / "z.html", "mapped", [], tmp_path / "none.png", Comparison((), shots, off))
    assert 'alt="heads colored by their error"' in (tmp_path / "z.html").read_text(encoding="utf-8")
    write_train_report(tmp_path / "y.html", "bare", [], tmp_path / "none.png", Comparison(()))
    assert "<img" not in (tmp_path / "y.html").read_text(encoding="utf-8")
