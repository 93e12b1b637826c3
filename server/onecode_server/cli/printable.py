"""A stranger's text on a terminal."""


def printable(text: str) -> str:
    """Return a stranger's text with line ends, and what moves a terminal's cursor, shown as what they are."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
