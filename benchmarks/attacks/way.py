"""What the callers of an attacked server show, as it is told to the programs of an attack."""

from typing import NamedTuple

from benchmarks.shown import NOTHING, Authority, Shown


class Way(NamedTuple):
    """What the callers of a server show: ``certificate`` or ``token`` of an authority, or nothing."""

    shown: str
    authority: Authority

    @property
    def flags(self) -> list[str]:
        """The flags of the server. Whoever shows nothing may read its page, and no more."""
        if not self.shown:
            return []
        flags = self.authority.flags(certificates=self.shown == "certificate", tokens=self.shown == "token")
        return [*flags, "--loopback-role", "ops"]

    @property
    def caller(self) -> Shown:
        """What a caller shows."""
        if not self.shown:
            return NOTHING
        if self.shown == "token":
            return Shown(self.authority.context(), self.authority.token())
        return Shown(self.authority.context("caller"))

    @property
    def certs(self) -> list[str]:
        """The argument of the attacker and the dummy, where there is TLS."""
        return [str(self.authority.directory)] if self.shown else []

    @property
    def polite(self) -> list[str]:
        """The arguments of the polite client."""
        return [self.shown, *self.certs] if self.shown else []
