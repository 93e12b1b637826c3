"""The supervisor: starts workers on one port, keeps them alive, presents them as one server, and ends them together.

It does not import ``composition``, opens no store and serves no call, so that little can end it.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import fields, replace
from functools import partial
from typing import Final

from onecode_server.access import Access
from onecode_server.errors import OnecodeError
from onecode_server.identity import watched_files
from onecode_server.rpc.metrics_server import MetricsServer
from onecode_server.settings.config import Settings
from onecode_server.settings.data_directory import DataDirectory
from onecode_server.system.clock import every
from onecode_server.system.signals import ENDING, stop_event
from onecode_server.telemetry.metrics import Metrics
from onecode_server.telemetry.processes import ProcessMetrics
from onecode_server.telemetry.supervisor_metrics import SupervisorMetrics
from onecode_server.workers.observed import processes_of, report_of
from onecode_server.workers.reservation import reserved
from onecode_server.workers.slot import KILLED_S, REPLICATOR, Slot

CLOSING_S: Final = 5.0
"""The time for a worker after ``drain_s`` to close its store, before it is killed."""

_log = logging.getLogger(__name__)


async def supervise(settings: Settings, announce: Callable[[str], None], replicator: str = REPLICATOR) -> None:
    """Serve with ``settings.workers`` workers until SIGTERM, SIGINT or SIGHUP, then let all of them drain at once.

    ``announce`` is called with the line that names the addresses, once all of them serve. ``replicator`` is the module
    that applies the log, where there is one. Raises Misconfigured, or
    OnecodeError where no worker ever served, or one died or had to be killed when it was asked to end.
    """
    DataDirectory(settings.data_dir).expect()
    with (
        stop_event(*ENDING) as stop,
        reserved(*settings.listen) as port,
    ):
        listen = settings.listen._replace(port=port)
        given = _as_text(replace(settings, listen=listen))
        metrics, ever_served = SupervisorMetrics(), asyncio.Event()
        slots = [Slot(n, given, metrics, ever_served) for n in range(settings.workers)]
        metrics.serving.set_function(lambda: sum(slot.is_serving for slot in slots))
        replicators = _replicators(settings, given, metrics, replicator)
        metrics.show(ProcessMetrics(lambda: processes_of([*slots, *replicators])))
        access = Access(settings, Metrics())
        looking = asyncio.create_task(every(watched_files.POLL_S, access.refresh))
        reports = partial(report_of, slots, replicators)
        page = MetricsServer(metrics.page, reports, access.page_authorizer(), metrics.refused_pages)
        try:
            metrics_port = page.start(*settings.metrics)
            ready = f"ready grpc={listen} metrics={settings.metrics._replace(port=metrics_port)}"
            await _keep(slots, replicators, stop, settings.drain_s, lambda: announce(ready))
        finally:
            page.stop()
            looking.cancel()
            access.close()
    _log.info("all workers have ended")


def _replicators(settings: Settings, given: list[str], metrics: SupervisorMetrics, module: str) -> list[Slot]:
    """Return the slot of the process that applies the log; none where there is no log."""
    if settings.log is None:
        return []
    # What workers have served does not count for it, nor it for them.
    return [Slot("replicator", given, metrics, asyncio.Event(), module)]


async def _keep(
    slots: list[Slot], replicators: list[Slot], stop: asyncio.Event, drain_s: float, announce: Callable[[], None]
) -> None:
    """Keep all slots filled until ``stop`` is set, or one of them gives up.

    The replicator ends after the workers: their last changes are answered once it has applied them.
    """
    keepers = {asyncio.create_task(slot.keep()) for slot in slots}
    applying = {asyncio.create_task(slot.keep()) for slot in replicators}
    stopped = asyncio.create_task(stop.wait())
    announcer = asyncio.create_task(_announce_once_all_serve(slots, announce))
    try:
        await asyncio.wait({*keepers, *applying, stopped}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopped.cancel()
        announcer.cancel()
        _log.info("draining", extra={"workers": len(slots)})
        failures = await _end(slots, keepers, drain_s + CLOSING_S)
        failures += await _end(replicators, applying, CLOSING_S)
    if failures:
        raise failures[0]
    if any(slot.ended_badly for slot in (*slots, *replicators)):
        raise OnecodeError("a worker that was asked to end did not end cleanly: see the log")


async def _end(slots: list[Slot], keepers: set[asyncio.Task[None]], timeout_s: float) -> list[BaseException]:
    """Ask the processes in slots to end, and kill those that do not; return what the slots failed with."""
    for slot in slots:
        slot.end()
    if not keepers:
        return []
    _, late = await asyncio.wait(keepers, timeout=timeout_s)
    if late:
        _log.error("workers were killed, since they did not end by themselves", extra={"workers": len(late)})
    for slot in slots:
        slot.kill()
    _, held = await asyncio.wait(keepers, timeout=KILLED_S)
    for keeper in held:  # of a process that even SIGKILL does not end
        keeper.cancel()
    ended = await asyncio.gather(*keepers, return_exceptions=True)
    failures = [one for one in ended if one is not None and not isinstance(one, asyncio.CancelledError)]
    if late and not failures:
        failures.append(OnecodeError("a worker that was asked to end did not end cleanly: see the log"))
    return failures


async def _announce_once_all_serve(slots: list[Slot], announce: Callable[[], None]) -> None:
    while not all(slot.serves.is_set() for slot in slots):
        for slot in slots:  # one that served may have ended in the meantime
            await slot.serves.wait()
    announce()


def _as_text(settings: Settings) -> list[str]:
    """Return settings as a worker's arguments, which it validates again. What is not given has no text."""
    values = {field.name: getattr(settings, field.name) for field in fields(settings)}
    return [f"{name}={'' if value is None else value}" for name, value in values.items()]
