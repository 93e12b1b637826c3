# syntax=docker/dockerfile:1
# The server in a container. It listens on loopback only, until callers have identities: run it with the host's
# network, or share its network namespace with a sidecar that has the identities.
#
#   docker build -t onecode .
#   docker run --network host -v /srv/onecode:/data onecode
#
# One container for each data directory: LMDB locks by process id, and two containers have the same ids.

# The whole image, which has a C compiler: the kernel is built here, and runs below without one.
FROM python:3.11 AS build
WORKDIR /src
RUN python -m venv /opt/onecode
COPY constraints-runtime.txt ./
RUN /opt/onecode/bin/pip install --no-cache-dir --require-hashes --no-deps -r constraints-runtime.txt
COPY pyproject.toml setup.py README.md LICENSE ./
COPY clients/python clients/python
COPY server server
RUN /opt/onecode/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.11-slim
RUN useradd --uid 10001 --create-home onecode && install -d -o onecode -g onecode -m 0700 /data
COPY --from=build /opt/onecode /opt/onecode
USER onecode
ENV PATH=/opt/onecode/bin:$PATH ONECODE_DATA_DIR=/data ONECODE_METRICS=127.0.0.1:9464
VOLUME /data
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=15s \
  CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f'http://{os.environ[\"ONECODE_METRICS\"]}/healthz')"]
ENTRYPOINT ["onecode"]
CMD ["serve"]
