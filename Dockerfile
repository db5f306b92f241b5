# Stoma in a container: docs/container.md says how to build and run it.
ARG BASE_IMAGE=python:3.13-slim

# ---- What is needed to make the environment, and stays behind.
# hadolint ignore=DL3006
FROM ${BASE_IMAGE} AS build
# Packages beside the plain ones: apprise sends alerts, pyarrow writes Parquet ("apprise pyarrow"). "" leaves both out.
ARG EXTRAS="apprise"
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_INPUT=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build

# Pinned by hash, wheels only: no code of a package runs while it is installed.
COPY requirements.txt requirements-dev.txt scripts/pins.py ./
RUN python3 pins.py requirements-dev.txt hatchling > builder.txt \
    && python3 pins.py requirements-dev.txt ${EXTRAS} > extras.txt \
    && python3 -m venv --without-pip /opt/stoma \
    && python3 -m venv --without-pip /build/builder \
    && python3 -m pip --python /opt/stoma/bin/python install --quiet --require-hashes --only-binary :all: \
        -r requirements.txt -r extras.txt \
    && python3 -m pip --python /build/builder/bin/python install --quiet --require-hashes --only-binary :all: \
        -r builder.txt

COPY pyproject.toml README.md LICENSE ./
COPY presets presets
COPY schemas schemas
COPY stoma stoma
# Compiled now, because nothing can be written later. What only tests and compilers of C read is left out.
RUN builder/bin/python -m hatchling build -t wheel -d dist \
    && python3 -m pip --python /opt/stoma/bin/python install --quiet --no-index --no-deps dist/*.whl \
    && find /opt/stoma/lib -depth -type d \( -name tests -o -path '*/pyarrow/include' -o -path '*/lxml/includes' \) \
        -exec rm -rf {} + \
    && find /opt/stoma/lib -type d -name __pycache__ -prune -exec rm -rf {} + \
    && /opt/stoma/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/stoma/lib

# ---- What runs.
# hadolint ignore=DL3006
FROM ${BASE_IMAGE}
ARG VERSION="" REVISION=""
LABEL org.opencontainers.image.title="Stoma" \
    org.opencontainers.image.description="Collects public data on schedules and keeps it in a database of yours." \
    org.opencontainers.image.licenses="MIT" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}"

# Group 0 may write too: some clusters give every container a user of its own, in that group.
RUN echo 'stoma:x:10001:' >> /etc/group \
    && echo 'stoma:x:10001:10001:Stoma:/data:/usr/sbin/nologin' >> /etc/passwd \
    && mkdir /data && chown 10001:0 /data && chmod 770 /data
COPY --from=build /opt/stoma /opt/stoma

# All that is written lies in /data: the database, stoma.yaml and tasks/ unless STOMA_CONFIG names others, the token, and
# what SQLite puts aside while it sorts, which can be as large as the database.
# STOMA_LISTEN: a published port leads to every address but 127.0.0.1. Others can reach that, so a token is asked for:
# STOMA_TOKEN, else the one in STOMA_TOKEN_FILE, which is made when there is none.
# hadolint ignore=DL3064
ENV PATH=/opt/stoma/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    SQLITE_TMPDIR=/data \
    STOMA_DATA=/data \
    STOMA_LISTEN=0.0.0.0:8000 \
    STOMA_TOKEN_FILE=/data/token
USER 10001:10001
WORKDIR /data
VOLUME ["/data"]
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 CMD ["python", "-m", "stoma.api.probe"]
ENTRYPOINT ["stoma-run"]
