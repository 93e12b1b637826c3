"""Bad tokens without end: others are answered, and the memory of the server has a bound."""

import asyncio
import time
from typing import Any, Final

import grpc
import grpc.aio

from onecode.v1 import recognition_pb2 as pb
from onecode.v1 import recognition_pb2_grpc

from tests.integration.bad_identities import verify
from tests.integration.deployment import Server
from tests.integration.identities import GATEWAY, SCANNER, Identities, read_refusal

FLOOD_S, FLOOD_PER_S = 3, 1000
FLOOD_BYTES_MAX: Final = 48 * 1024 * 1024
"""What the flood may add to a server's memory: 16,384 credentials in the front may take 32 MiB."""


def test_a_flood_of_bad_tokens_neither_stops_others_nor_fills_the_memory(
    guarded: Server, identities: Identities, code: bytes
) -> None:
    good, before = identities.token(SCANNER), guarded.anonymous_bytes()
    # Each is another one, so that none is known to be bad, and its signature has to be checked.
    body, _, signature = good.rpartition(".")
    tokens = [f"{body}.{number:06d}{signature[6:]}" for number in range(FLOOD_S * FLOOD_PER_S)]
    polite = identities.of(guarded, SCANNER)
    answers = []

    async def ask() -> None:
        leaf = identities.leaf(GATEWAY)
        shown = grpc.ssl_channel_credentials(identities.authority.pem, leaf.key_pem, leaf.chain_pem)
        channels = [
            grpc.aio.secure_channel(
                guarded.address, shown, (("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0))
            )
            for _ in range(4)
        ]
        asked = pb.VerifyRequest(code=code, host_region="420000")

        async def flood(channel: grpc.aio.Channel, shown: list[str]) -> set[str]:
            stub: Any = recognition_pb2_grpc.RecognitionServiceStub(channel)
            found = set()
            for number, token in enumerate(shown):
                await asyncio.sleep(begins_s + number * FLOOD_S / len(shown) - time.monotonic())
                try:
                    await stub.Verify(asked, timeout=30, metadata=(("authorization", f"Bearer {token}"),))
                except grpc.aio.AioRpcError as fault:
                    found.add(read_refusal(fault).reason)
            return found

        begins_s, lines = time.monotonic(), 32
        flooding = asyncio.gather(
            *(flood(channels[line % len(channels)], tokens[line::lines]) for line in range(lines))
        )
        while not flooding.done():
            answers.append(await asyncio.to_thread(verify, polite, code))
            await asyncio.sleep(0.01)
        reasons = await flooding
        await asyncio.gather(*(channel.close() for channel in channels))
        assert set().union(*reasons) == {"TOKEN_SIGNATURE"}

    asyncio.run(ask())
    assert {answer.verdict.decision for answer in answers} == {pb.DECISION_ADMIT}
    assert guarded.samples("onecode_unauthenticated_calls_total")["TOKEN_SIGNATURE",] >= len(tokens)
    assert guarded.anonymous_bytes() - before < FLOOD_BYTES_MAX
