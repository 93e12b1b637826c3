"""``onecode log``: makes, checks and shows the topics of the log that several machines share, and makes machines
members of their cluster."""

from pathlib import Path
from typing import Final

import click

from onecode_server.cli.log_migrate import migrate
from onecode_server.cli.log_options import expect_log, log_options
from onecode_server.cli.log_rules import rules
from onecode_server.cli.log_status import status
from onecode_server.cli.options import PathType
from onecode_server.crypto.signing import Signer, read_secret
from onecode_server.errors import OnecodeError
from onecode_server.log import topics
from onecode_server.replication.enrolment import CLUSTER_KEY, enrol, found_cluster
from onecode_server.settings.data_directory import DataDirectory
from onecode_server.system.clock import wall_clock
from onecode_server.trust.document import rfc3339

_REPLICAS_MAX: Final = 9
"""Each replica is written before a record counts: more than this many only make that slower."""
_DAYS: Final = 365
"""A membership ends unless somebody prolongs it: a machine that was taken away cannot write for ever."""
_DAYS_MAX: Final = 3650
_DAY_US: Final = 86_400 * 1_000_000


@click.group()
def log() -> None:
    """Make, check and show the log that several machines share, on brokers that speak Kafka's protocol."""


log.add_command(status)
log.add_command(migrate)
log.add_command(rules)


@log.command()
@log_options
@click.option(
    "--replication-factor",
    default=topics.REPLICAS,
    show_default=True,
    type=click.IntRange(1, _REPLICAS_MAX),
    help="Replicas of each partition. With fewer than 3, a broker that is lost takes records with it.",
)
@click.option(
    "--data-dir", type=PathType(), help="Of the first machine: makes the cluster's key pair, and it a member."
)
def init(config: Path | None, replication_factor: int, data_dir: Path | None, **flags: str | None) -> None:
    """Make the topics that are not there, with the settings that they must have.

    With --data-dir a cluster is founded as well. cluster.key is its secret: keep it elsewhere, as no server opens it.
    """
    address = expect_log(flags, config)
    if data_dir is not None:
        DataDirectory(data_dir).expect()
    made = topics.create(address, replication_factor)
    for name in topics.names(address):
        click.echo(f"{name}: {'made' if name in made else 'was there, see onecode log check'}")
    if replication_factor < topics.REPLICAS:
        click.echo(f"{replication_factor} replicas suit a developer's machine alone: 3 keep records", err=True)
    if data_dir is not None:
        cluster = found_cluster(data_dir)
        click.echo(f"cluster {cluster.public_key.hex()}: keep {data_dir / CLUSTER_KEY} on another machine")
        _enrol(data_dir, cluster, _DAYS)


@log.command()
@click.option("--data-dir", required=True, type=PathType())
@click.option("--cluster-key", required=True, type=PathType(), help="The cluster's secret; /dev/stdin reads a pipe.")
@click.option("--days", default=_DAYS, show_default=True, type=click.IntRange(1, _DAYS_MAX))
def join(data_dir: Path, cluster_key: Path, days: int) -> None:
    """Make a machine a member of the cluster, or prolong its membership.

    Its key is made here and stays here; the cluster key signs its certificate, and is not kept. Start the server again
    to have it use a new certificate.
    """
    DataDirectory(data_dir).expect()
    _enrol(data_dir, Signer(read_secret(cluster_key)), days)


def _enrol(data_dir: Path, cluster: Signer, days: int) -> None:
    certificate = enrol(data_dir, cluster, wall_clock() + days * _DAY_US)
    click.echo(f"machine {certificate.machine.hex()}: a member until {rfc3339(certificate.not_after)}")


@log.command()
@log_options
def check(config: Path | None, **flags: str | None) -> None:
    """Compare the topics with what they must be. Ends with status 1 where anything differs."""
    address = expect_log(flags, config)
    faults = topics.check(address)
    for fault in faults:
        click.echo(fault)
    if faults:
        count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
        raise OnecodeError(f"{count}: records could be lost. Correct the topics with your brokers' own tools")
    click.echo("the topics are as they must be")
