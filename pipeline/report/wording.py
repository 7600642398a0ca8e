"""What a report is worded in: English as it stands in the code, and what ``korean`` makes of it."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.report.korean import REASONS, TEXTS
from pipeline.run_info import Language

NOT_A_SUBJECT, NEW_CLASS, YES = "not a subject", "new class", "yes"
"""What a reader may answer beside the names of classes."""


@dataclass(frozen=True, slots=True)
class Words:
    """The words of a language.

    Args:
        language: which one.
    """

    language: Language = "en"

    def __call__(self, text: str, **values: object) -> str:
        """A text in this language, with ``values`` put in; one that nobody translated stays English."""
        said = TEXTS.get(text, text) if self.language == "ko" else text
        return said.format(**values) if values else said

    def some(self, count: int, one: str, many: str, **values: object) -> str:
        """A text that says ``{count}``, in the singular or the plural; Korean has but one form."""
        return self(one if count == 1 and self.language == "en" else many, count=f"{count:,}", **values)

    def explain(self, reason: str) -> str:
        """Why a file could not be read, from what its result says; what nobody translated stays as it is."""
        if self.language == "en":
            return reason
        for known, said in REASONS:
            if match := known.fullmatch(reason):
                return said.format(*match.groups())
        return reason


def all_forms(name: str) -> frozenset[str]:
    """The name of a sheet, heading or choice in every language, from its English one."""
    return frozenset({name, TEXTS.get(name, name)})
