"""Whether to apply what was shown."""

from __future__ import annotations

import io

import pytest

from pipeline.cli_asking import ask_to_apply


class Terminal(io.StringIO):
    """Somebody who types."""

    def isatty(self) -> bool:
        """It is one."""
        return True


@pytest.mark.parametrize(("typed", "wanted"), [("y\n", True), ("n\n", False), ("\n", False)])
def test_who_sits_there_is_asked(
    typed: str, wanted: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(typed))
    assert ask_to_apply(["one", "two"], yes=False) is wanted
    assert capsys.readouterr().out == "one\ntwo\nApply this? [y/N]: "


@pytest.mark.parametrize("stdin", [io.StringIO("y\n"), None])
def test_where_nobody_sits_nothing_is_applied_but_on_yes(
    stdin: io.StringIO | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", stdin)
    assert ask_to_apply(["one"], yes=False) is False
    assert capsys.readouterr().out == "one\nto apply this, run the same command with --yes\n"
    assert ask_to_apply(["one"], yes=True) is True
    assert capsys.readouterr().out == "one\n"
