"""TLS on a listener of grpc.aio: each handshake is made with the files in force.

gRPC has no setting for the least version of TLS nor for revocation lists. Its own cipher suites are those of TLS 1.3
and the ECDHE suites of TLS 1.2 with AES-GCM; revocations and the times of certificates are looked at for each call.
(grpc_core: ``ssl_security_connector``, ``GRPC_SSL_CIPHER_SUITES``)
"""

from typing import Any

import grpc

from onecode_server.rpc.tls_files import Files, FilesOf


def credentials(files_of: FilesOf) -> grpc.ServerCredentials:
    """Return credentials that follow the files. Every caller must show a certificate where there are authorities:
    gRPC cannot ask for one without demanding it."""
    files = files_of()
    seen = files.generation

    def fetch() -> Any:
        """Return the files for a handshake, None where they are the last ones. Called on a thread of gRPC's."""
        nonlocal seen
        now = files_of()
        if now.generation == seen:
            return None
        seen = now.generation
        return _configuration(now)

    return grpc.dynamic_ssl_server_credentials(
        _configuration(files), fetch, require_client_authentication=files.client_ca is not None
    )


def _configuration(files: Files) -> Any:
    return grpc.ssl_server_certificate_configuration([(files.key, files.chain)], root_certificates=files.client_ca)
