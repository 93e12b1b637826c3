"""Server reflection under the names of both protocol versions: ``grpc.reflection.v1`` and ``v1alpha``.

grpcio-reflection answers ``grpc.reflection.v1alpha`` alone. Version 1 has the same messages byte for byte, and newer
tools use it, some nothing else. (https://github.com/grpc/grpc/blob/master/doc/server-reflection.md)
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import aclosing
from typing import Any, Final

import grpc
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_reflection.v1alpha import reflection, reflection_pb2

from onecode_server.rpc.callers import Caller

_EARLIER: Final = reflection_pb2.DESCRIPTOR
_PACKAGE: Final = "grpc.reflection.v1"
SERVICES: Final = (f"{_PACKAGE}.ServerReflection", reflection.SERVICE_NAME)
"""The full names of the reflection service."""


def reflect(server: Any, protos: Sequence[Any]) -> None:
    """Add reflection to ``server`` for the services of ``protos`` (descriptors of files), and for reflection itself."""
    services = [service.full_name for proto in protos for service in proto.services_by_name.values()]
    # enable_server_reflection is not used: it takes only gRPC's own server class for an asyncio server.
    servicer = reflection.aio.ReflectionServicer((*services, *SERVICES), _pool((*protos, _EARLIER)))

    async def info(requests: AsyncIterator[Any], caller: Caller) -> AsyncIterator[Any]:
        caller.charge(1)
        answering: Any = servicer.ServerReflectionInfo(requests, caller)  # a generator, which its stubs do not say
        async with aclosing(answering) as answers:
            async for answer in answers:
                yield answer
                await caller.pace(1)

    handler = grpc.stream_stream_rpc_method_handler(
        info,
        reflection_pb2.ServerReflectionRequest.FromString,
        reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    for service in SERVICES:
        server.add_registered_method_handlers(service, {"ServerReflectionInfo": handler})


def _pool(protos: Iterable[Any]) -> DescriptorPool:
    """Return a pool of these files, their imports, and version 1 of the protocol.

    The process's default pool is not used: stubs of version 1 in it would be a second definition of the same names.
    """
    pool, added = DescriptorPool(), set[str]()

    def add(file: Any) -> None:
        if file.name not in added:
            added.add(file.name)
            for imported in file.dependencies:
                add(imported)
            pool.AddSerializedFile(file.serialized_pb)

    for proto in protos:
        add(proto)
    pool.AddSerializedFile(_version_1().SerializeToString())
    return pool


def _version_1() -> FileDescriptorProto:
    """Return the description of version 1: that of v1alpha, under version 1's names."""
    proto = FileDescriptorProto()
    _EARLIER.CopyToProto(proto)
    before = f".{proto.package}."
    for message in proto.message_type:
        for field in filter(lambda field: field.type_name, message.field):
            field.type_name = field.type_name.replace(before, f".{_PACKAGE}.")
    for service in proto.service:
        for method in service.method:
            method.input_type = method.input_type.replace(before, f".{_PACKAGE}.")
            method.output_type = method.output_type.replace(before, f".{_PACKAGE}.")
    proto.name, proto.package = f"{_PACKAGE.replace('.', '/')}/reflection.proto", _PACKAGE
    return proto
