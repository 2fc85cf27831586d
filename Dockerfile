# teduh as a container: unprivileged, without capabilities, on a read-only root file system.
#
#   docker build -t teduh .
#   docker run --read-only --cap-drop ALL --security-opt no-new-privileges:true --tmpfs /tmp \
#       -p 127.0.0.1:8080:8080 -p 3478:3478/udp -p 3478:3478/tcp -v teduh:/data \
#       -e TEDUH_MEDIA_ADDRESSES=127.0.0.1 teduh
#
# TEDUH_MEDIA_ADDRESSES has no default here: a container cannot know by which address browsers reach
# its host. Without it the start stops with a sentence that says so.

FROM python:3.11-slim-bookworm AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /src
RUN python -m venv /opt/teduh

# Exactly what the tests ran with, each file checked against its hash; nothing is compiled here.
COPY constraints/runtime.txt constraints/build.txt constraints/
RUN /opt/teduh/bin/pip install --require-hashes --only-binary :all: \
        -r constraints/runtime.txt -r constraints/build.txt

COPY pyproject.toml README.md LICENSE ./
COPY core core
COPY accounts accounts
COPY counseling counseling
COPY media media
COPY recordings recordings
COPY signaling signaling
COPY web web
COPY migrations migrations
RUN /opt/teduh/bin/pip install --no-index --no-deps --no-build-isolation . \
    && /opt/teduh/bin/pip uninstall --yes setuptools pip \
    && python -m compileall -q -j 0 /opt/teduh/lib


FROM python:3.11-slim-bookworm

RUN useradd --uid 10001 --user-group --no-create-home --home-dir /data --shell /usr/sbin/nologin teduh \
    && install --directory --owner teduh --group teduh --mode 0700 /data /keys
COPY --from=build /opt/teduh /opt/teduh

ENV PATH=/opt/teduh/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    TEDUH_CONTAINER=1 \
    TEDUH_DATA_DIR=/data \
    TEDUH_HTTP_HOST=0.0.0.0,:: \
    TEDUH_HTTP_PORT=8080 \
    TEDUH_MEDIA_PORT=3478

USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8080/tcp 3478/udp 3478/tcp
STOPSIGNAL SIGTERM

# The process says whether it serves; /readyz says whether database and media port work as well.
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:' + os.environ['TEDUH_HTTP_PORT'] + '/healthz', timeout=4)"]

ENTRYPOINT ["teduh"]
CMD ["serve"]
