"""The bytes of calls and of the log's messages, measured on a server and on messages of the forms in force."""

import secrets
import tempfile
from pathlib import Path
from typing import Final

import grpc

from onecode.v1 import recognition_pb2 as pb
from onecode.v1 import recognition_pb2_grpc as pb_grpc
from onecode_client.loopback import UNPROXIED
from onecode_server.crypto.signing import Signer
from onecode_server.model.partition import STATUS_PARTITIONS, partition_of
from onecode_server.model.status import SUBJECT_BYTES, Level, Scope, StatusRecord
from onecode_server.replication import message_form
from onecode_server.replication.messages import RANDOM_BYTES, Chunk, Mark, identifier_in
from onecode_server.replication.rule_versions import RULES
from onecode_server.replication.signing import Sealer, certify
from onecode_server.stores.protocol import Publication

from benchmarks import servers, workload

HOME: Final = "540000"
"""A region whose bearers carry national codes."""
CODES: Final = 1000
PUBLISHED: Final = 1000
"""Records of one commit of a publisher, which are spread over the partitions."""
_NOW: Final = 1_795_000_000_000_000  # Unix microseconds


def of_calls() -> dict[str, float]:
    """Return bytes a code, of requests and of answers, of messages with their five bytes of gRPC's frame."""
    with tempfile.TemporaryDirectory(prefix="onecode-sizes-") as directory:
        data_dir = Path(directory) / "data"
        workload.init(data_dir)
        codes = workload.issue(data_dir, HOME, CODES)
        with (
            servers.running("sizes", servers.onecode(data_dir), data_dir) as server,
            grpc.insecure_channel(server.address, UNPROXIED) as channel,
        ):
            stub = pb_grpc.RecognitionServiceStub(channel)
            one = pb.VerifyRequest(code=codes[0], host_region=workload.HOST_REGION)
            many = pb.BatchVerifyRequest(codes=codes, host_region=workload.HOST_REGION)
            scan = pb.StreamVerifyRequest(request_id=1000, code=codes[0], host_region=workload.HOST_REGION)
            (streamed,) = stub.StreamVerify(iter([scan]), timeout=servers.START_TIMEOUT_S)
            return {
                "unary_request_bytes": 5 + one.ByteSize(),
                "unary_answer_bytes": 5 + stub.Verify(one, timeout=servers.START_TIMEOUT_S).ByteSize(),
                "stream_request_bytes": 5 + scan.ByteSize(),
                "stream_answer_bytes": 5 + streamed.ByteSize(),
                "batch_request_bytes": (5 + many.ByteSize()) / CODES,
                "batch_answer_bytes": (5 + stub.BatchVerify(many, timeout=servers.START_TIMEOUT_S).ByteSize()) / CODES,
            }


def of_messages() -> dict[str, float]:
    """Return the bytes of the log a record, where a publisher's thousand records are spread over the partitions, and of
    a mark."""
    machine, key = secrets.token_bytes(16), Signer(secrets.token_bytes(32))
    sealer = Sealer(certify(machine, key.public_key, _NOW, Signer(secrets.token_bytes(32))), key)
    record = StatusRecord("420000", Scope.NATIONAL, Level.RED, _NOW, None, 1)
    parts: dict[int, list[Publication]] = {partition: [] for partition in range(STATUS_PARTITIONS)}
    for _ in range(PUBLISHED):
        subject = secrets.token_bytes(SUBJECT_BYTES)
        parts[partition_of(subject)].append(Publication(subject, record))
    sealed = 0
    for partition, part in parts.items():
        identifier = identifier_in(partition, secrets.token_bytes(RANDOM_BYTES))
        chunk = Chunk(machine, identifier, _NOW, RULES, 1, tuple(part))
        sealed += len(sealer.seal(message_form.encode(chunk), partition))
    mark = Mark(machine, bytes(8), bytes(16), _NOW, _NOW, 1, bytes(32), bytes(32))
    return {
        "log_bytes_per_record": sealed / PUBLISHED,
        "mark_bytes": len(sealer.seal(message_form.encode(mark), 0)),
    }
