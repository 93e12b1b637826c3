"""What follows from the inputs by arithmetic alone. All sites are alike, and any one of them may be lost."""

import math
from typing import Final, NamedTuple

from benchmarks.capacity.inputs import Inputs

HOUR_S: Final = 3600
GB: Final = 1e9
BITS: Final = 8


class Checks(NamedTuple):
    """What the scans of the peak need, all of them by one kind of call."""

    name: str
    us_a_code: float
    cores: float
    """Busy at the peak, of the whole country."""
    machines_a_site: int
    in_gbit_s: float
    """Of the whole country at the peak, to the servers; ``out_gbit_s`` are the answers."""
    out_gbit_s: float

    def machines(self, sites: float) -> int:
        """Return the machines of all sites."""
        return self.machines_a_site * round(sites)


class Needs(NamedTuple):
    """What a country needs."""

    checks: list[Checks]
    store_gb: float
    """On each machine."""
    log_mb_s: float
    """Written by the publishers of a storm, before replication."""
    storm_records_s: float
    broker_mb_s: float
    """Written by one of three brokers in a storm: each has a replica of everything."""
    read_mb_s: float
    """Read from all brokers together in a storm: by each machine, everything."""
    marks_s: float
    """Marks that each machine applies a second: of all machines, for each partition."""
    mark_cores: float
    """Of each machine, for applying these."""
    log_disk_gb: float
    """Of one broker, for the log's retention of ordinary days."""
    storm_cores: float
    """Of each machine, for applying a storm's records."""
    apply_share: float
    """Of what a machine can apply, by a storm."""
    copy_s: float
    """To copy the store to a new machine."""
    behind_records: float
    """That come meanwhile, in a storm."""
    catch_up_s: float
    """To apply them while the storm goes on; infinite where a machine cannot."""
    replay_s: float
    """To apply all subjects from the log instead of a copy."""


def needs(inputs: Inputs) -> Needs:
    """Compute them."""
    checks = [
        _checks(inputs, "unary", 1e6 / inputs["unary_codes_per_cpu_s"], "unary"),
        _checks(inputs, "streams", 1e6 / inputs["stream_codes_per_cpu_s"], "stream"),
        _checks(inputs, "batches of 1,000", 1e6 / inputs["batch_codes_per_cpu_s"], "batch"),
        _checks(inputs, "batches, all formats", 1e6 / inputs["mixed_codes_per_cpu_s"], "batch"),
    ]
    most = max(one.machines(inputs["sites"]) for one in checks)
    store_bytes = inputs["subjects"] * inputs["store_bytes_per_subject"]
    storm_records_s = inputs["storm_records"] / HOUR_S
    log_bytes_s = storm_records_s * inputs["log_bytes_per_record"]
    apply_per_s = inputs["apply_records_per_s"]
    copy_s = store_bytes / (inputs["copy_mb_per_s"] * 1e6)
    behind = copy_s * storm_records_s
    spare_per_s = apply_per_s - storm_records_s
    marks_s = most * inputs["partitions"] / inputs["mark_interval_s"]
    return Needs(
        checks=checks,
        store_gb=store_bytes / GB,
        log_mb_s=log_bytes_s / 1e6,
        storm_records_s=storm_records_s,
        broker_mb_s=log_bytes_s / 1e6,
        read_mb_s=(log_bytes_s + marks_s * inputs["mark_bytes"]) * most / 1e6,
        marks_s=marks_s,
        mark_cores=marks_s * inputs["mark_us"] / 1e6,
        log_disk_gb=inputs["records_per_day"] * inputs["retention_days"] * inputs["log_bytes_per_record"] / GB
        + marks_s * inputs["mark_bytes"] * 86_400 * inputs["retention_days"] / GB,
        storm_cores=storm_records_s * inputs["apply_us_per_record"] / 1e6,
        apply_share=storm_records_s / apply_per_s,
        copy_s=copy_s,
        behind_records=behind,
        catch_up_s=behind / spare_per_s if spare_per_s > 0 else math.inf,
        replay_s=inputs["subjects"] / apply_per_s,
    )


def _checks(inputs: Inputs, name: str, us_a_code: float, kind: str) -> Checks:
    """Compute what the peak needs. The sites that are left when one is lost carry all of it, at the busy share."""
    us = (us_a_code + inputs["lookup_us"] * inputs["looked_up_share"]) * inputs["tls_factor"] * inputs["log_factor"]
    scans_per_s = inputs["scans_per_s"]
    cores = scans_per_s * us / 1e6
    usable = (inputs["cores_per_machine"] - inputs["replicator_cores"]) * inputs["busy_share_max"]
    return Checks(
        name=name,
        us_a_code=us,
        cores=cores,
        machines_a_site=max(
            math.ceil(cores / (inputs["sites"] - 1) / usable), math.ceil(inputs["machines_a_site_min"])
        ),
        in_gbit_s=scans_per_s * inputs[f"{kind}_request_bytes"] * BITS / 1e9,
        out_gbit_s=scans_per_s * inputs[f"{kind}_answer_bytes"] * BITS / 1e9,
    )
