"""The kinds of books, and what is written on them."""

from __future__ import annotations

from numpy.random import Generator

from pipeline.sample.chance import pick

KINDS = ("comic", "fairy tale", "novel", "science")

_AUTHOR_NAMES = (
    ("Anna", "Bruno", "Clara", "Edwin", "Hanne", "Ivo", "Jonas", "Lena", "Marta", "Otto", "Paula", "Rolf", "Vera"),
    ("Abbot", "Brandt", "Corvin", "Dahl", "Ehrling", "Falk", "Hollis", "Kestrel", "Lund", "Marlow", "Quist", "Voss"),
)
_TITLE_WORDS = {
    "comic": (
        ("Captain", "Doctor", "Mighty", "Atomic", "Crimson", "Turbo", "Savage", "Neon"),
        ("Rivet", "Badger", "Comet", "Fist", "Patrol", "Mongoose", "Thunder", "Squad"),
    ),
    "fairy tale": (
        ("The Golden", "The Sleeping", "The Seven", "The Enchanted", "The Little", "The Moonlit"),
        ("Swan", "Spindle", "Ravens", "Forest", "Miller", "Slipper", "Lantern", "Princess"),
    ),
    "novel": (
        ("A Winter", "The Quiet", "All the", "After the", "The Last", "Beyond the", "One"),
        ("Harbour", "Letters", "Orchard", "Rain", "Summer", "Inheritance", "Silence", "Garden"),
    ),
    "science": (
        ("Quantum", "Modern", "Applied", "Statistical", "Organic", "Introduction to", "Principles of"),
        ("Mechanics", "Chemistry", "Optics", "Geometry", "Dynamics", "Genetics", "Astronomy", "Networks"),
    ),
}


def random_author(rng: Generator) -> str:
    """A first and a last name."""
    first, last = _AUTHOR_NAMES
    return f"{pick(rng, first)} {pick(rng, last)}"


def random_title(rng: Generator, kind: str) -> str:
    """A title that suits the kind, on two lines."""
    first, second = _TITLE_WORDS[kind]
    return f"{pick(rng, first)}\n{pick(rng, second)}"
