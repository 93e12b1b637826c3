# syntax=docker/dockerfile:1
# The server in a container. It listens on all addresses, and speaks TLS only: it does not start without the files in
# /tls (docs/deploying.md says how they are made and renewed).
#
#   docker build -t onecode .
#   docker run -p 50051:50051 -p 9464:9464 -v /srv/onecode:/data -v /srv/onecode-tls:/tls:ro onecode
#
#   tls.crt, tls.key        the server's certificate, which names localhost too, for the health check
#   ca.crt                  the authorities of callers, and of this server
#   health.crt, health.key  what the health check shows: the certificate of a gateway, which may read health alone
#
# User 10001 must be able to read them, and nobody else the two keys.
#
# One container for each data directory: LMDB locks by process id, and two containers have the same ids.
#
# A tag is moved; a digest is what was tested. Name all three images by it, of the same Python and Debian:
#
#   docker build --build-arg FRONT_IMAGE=rust:1.91-trixie@sha256:... --build-arg BUILD_IMAGE=python:3.11-trixie@sha256:... \
#     --build-arg RUN_IMAGE=python:3.11-slim-trixie@sha256:... .

ARG FRONT_IMAGE=rust:1.91-trixie
ARG BUILD_IMAGE=python:3.11-trixie
ARG RUN_IMAGE=python:3.11-slim-trixie

# The native front, by the stable part of Python's interface: no Python is needed to build it.
FROM ${FRONT_IMAGE} AS front
WORKDIR /front
COPY front ./
RUN PYO3_NO_PYTHON=1 cargo build --release

# The whole image, which has a C compiler: the kernels are built here, and run below without one.
FROM ${BUILD_IMAGE} AS build
WORKDIR /src
RUN python -m venv /opt/onecode
COPY requirements/runtime.txt ./requirements/
RUN /opt/onecode/bin/pip install --no-cache-dir --require-hashes --no-deps -r requirements/runtime.txt
COPY pyproject.toml setup.py README.md LICENSE ./
COPY clients/python clients/python
COPY server server
RUN ONECODE_BUILD_FRONT=false /opt/onecode/bin/pip install --no-cache-dir --no-deps --no-build-isolation .
COPY --from=front /front/target/release/lib_front.so /opt/onecode/lib/python3.11/site-packages/onecode_server/rpc/_front.abi3.so

FROM ${RUN_IMAGE}
RUN useradd --uid 10001 --create-home onecode && install -d -o onecode -g onecode -m 0700 /data
COPY --from=build /opt/onecode /opt/onecode
# Without the kernels everything works and takes up to forty times as long, and without the native front up to seven
# times, which nobody wants of an image.
RUN ["/opt/onecode/bin/python", "-c", "import onecode_server.crypto._kernel, onecode_server.codes.encodings._columns, onecode_server.codes.encodings._rows, onecode_server.rpc._front"]
USER onecode
# An empty variable counts as none: -e ONECODE_TLS_CLIENT_CA= -e ONECODE_TOKEN_KEYS=/tls/jwks.json is for tokens alone.
ENV PATH=/opt/onecode/bin:$PATH \
    ONECODE_DATA_DIR=/data \
    ONECODE_LISTEN=0.0.0.0:50051 \
    ONECODE_METRICS=0.0.0.0:9464 \
    ONECODE_METRICS_TLS=true \
    ONECODE_TLS_CERT=/tls/tls.crt \
    ONECODE_TLS_KEY=/tls/tls.key \
    ONECODE_TLS_CLIENT_CA=/tls/ca.crt
# The client of the health check.
ENV ONECODE_SERVER=localhost:50051 \
    ONECODE_TLS_CA=/tls/ca.crt \
    ONECODE_TLS_CLIENT_CERT=/tls/health.crt \
    ONECODE_TLS_CLIENT_KEY=/tls/health.key
EXPOSE 50051 9464
VOLUME /data
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s CMD ["onecode", "health", "--timeout", "4"]
ENTRYPOINT ["onecode"]
CMD ["serve"]
