# syntax=docker/dockerfile:1
# The server in a container. It listens on loopback only, until callers have identities: run it with the host's
# network, or share its network namespace with a sidecar that has the identities.
#
#   docker build -t onecode .
#   docker run --network host -v /srv/onecode:/data onecode
#
# One container for each data directory: LMDB locks by process id, and two containers have the same ids.
#
# A tag is moved; a digest is what was tested. Name both images by it, of the same Python and Debian:
#
#   docker build --build-arg BUILD_IMAGE=python:3.11-trixie@sha256:... --build-arg RUN_IMAGE=python:3.11-slim-trixie@sha256:... .

ARG BUILD_IMAGE=python:3.11-trixie
ARG RUN_IMAGE=python:3.11-slim-trixie

# The whole image, which has a C compiler: the kernels are built here, and run below without one.
FROM ${BUILD_IMAGE} AS build
WORKDIR /src
RUN python -m venv /opt/onecode
COPY requirements/runtime.txt ./requirements/
RUN /opt/onecode/bin/pip install --no-cache-dir --require-hashes --no-deps -r requirements/runtime.txt
COPY pyproject.toml setup.py README.md LICENSE ./
COPY clients/python clients/python
COPY server server
# The native front is not built: this image has no Cargo, and front/ is not copied. grpc.aio answers callers.
RUN /opt/onecode/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM ${RUN_IMAGE}
RUN useradd --uid 10001 --create-home onecode && install -d -o onecode -g onecode -m 0700 /data
COPY --from=build /opt/onecode /opt/onecode
# Without the kernels everything works and takes up to forty times as long, which nobody wants of an image.
RUN ["/opt/onecode/bin/python", "-c", "import onecode_server.crypto._kernel, onecode_server.codes.encodings._columns"]
USER onecode
ENV PATH=/opt/onecode/bin:$PATH ONECODE_DATA_DIR=/data ONECODE_METRICS=127.0.0.1:9464
VOLUME /data
STOPSIGNAL SIGTERM
# By http.client, which knows no proxy: one in the environment is not for loopback.
HEALTHCHECK --interval=10s --timeout=3s --start-period=15s \
  CMD ["python", "-c", "import http.client, os, sys; page = http.client.HTTPConnection(os.environ['ONECODE_METRICS'], timeout=2); page.request('GET', '/healthz'); sys.exit(page.getresponse().status != 200)"]
ENTRYPOINT ["onecode"]
CMD ["serve"]
