"""Files and folders by their last part: what is shown to others tells nobody where they lie."""

import re
import shlex

SEPARATORS = re.compile(r"[\\/]+")
# An option's flag and a data set's key come before the place itself.
WORD = re.compile(r"(?P<start>(--[\w-]+=)?(folder:)?)(?P<place>.*)", re.DOTALL)
# What follows these is for people to read, slashes and all.
TEXT_FLAGS = ("--title", "--terms", "--value-names")


def shorten_place(text: str) -> str:
    """Return a file, folder or data set such as folder:/home/me/photos by its last part."""
    found = WORD.fullmatch(text)
    assert found is not None  # it takes any text
    parts = [part for part in SEPARATORS.split(found["place"]) if part]
    return found["start"] + (parts[-1] if parts else found["place"])


def shorten_command(command: str) -> str:
    """Return a command of this program with every place in it by its last part.

    Text that no shell could read is returned as it is.
    """
    try:
        words = shlex.split(command)
    except ValueError:
        return command
    pairs = zip(words, ["", *words], strict=False)
    shown = [word if _is_text(word, before) else shorten_place(word) for word, before in pairs]
    return shlex.join(shown)


def _is_text(word: str, before: str) -> bool:
    """Say whether a word is, or has behind its flag, what people are to read."""
    return before in TEXT_FLAGS or word.partition("=")[0] in TEXT_FLAGS
