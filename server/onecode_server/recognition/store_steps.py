"""The steps of exceptions of a machine that has a store of its own: each is decided inside the store's transaction."""

from onecode_server.recognition.steps import Report, Step, decide
from onecode_server.stores.protocol import ExceptionAnswer, ExceptionChange, ExceptionView, WritableStore
from onecode_server.system.clock import Clock
from onecode_server.trust.source import TrustSource


class StoreSteps:
    """Writes steps to a store, as a ``steps.StepsWriter``. ``clock`` returns Unix microseconds; ``skew`` is by how many
    microseconds a reporter's clock may be behind."""

    def __init__(self, store: WritableStore, trust: TrustSource, clock: Clock, skew: int) -> None:
        self._store = store
        self._trust = trust
        self._clock = clock
        self._skew = skew

    async def take(self, step: Step) -> ExceptionAnswer:
        """Write the report after a step; return it, on disk when this returns.

        Raises what ``steps.decide`` raises, and StoreUnavailable. A Report raises NotServing before the store is read.
        """
        trust = self._trust.current if isinstance(step, Report) else None

        def decide_now(view: ExceptionView) -> ExceptionChange | ExceptionAnswer:
            # The clock is read inside the transaction, so that the wait for it does not make the time too old.
            return decide(step, view, self._clock(), trust, self._skew)

        return await self._store.change_exceptions(decide_now)
