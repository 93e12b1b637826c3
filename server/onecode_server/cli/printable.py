"""Makes untrusted text safe for a terminal."""


def printable(text: str) -> str:
    """Return untrusted text with line ends and terminal control characters in a visible form."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
