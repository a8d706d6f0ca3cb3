# The image of every service of compose.yaml: Dagster's web server, its daemon, the code location, or one `gongkai run`.
#   docker build -t gongkai .                           with what reads .xlsx, .docx, .pdf, text and pictures of tables
#   docker build -t gongkai --build-arg OFFICE=yes .    with LibreOffice as well, for .xls, .doc and .wps
ARG PYTHON=3.11-slim-trixie

FROM python:${PYTHON} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/gongkai
ENV PATH=/opt/gongkai/bin:$PATH
WORKDIR /src
COPY locks/deploy.txt locks/deploy.txt
# Only bytes that the lock names are accepted, wherever pip is set up to take them from.
RUN python -m pip install --require-hashes -r locks/deploy.txt
COPY pyproject.toml README.md LICENSE gongkai.py ./
COPY schemas schemas
COPY pipelines pipelines
COPY assets assets
RUN python -m pip install --no-build-isolation --no-deps .

FROM python:${PYTHON}
ARG OFFICE=no
# Versions follow the base image's Debian release and its security updates, so they are not pinned here.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends fonts-noto-cjk openssh-client \
    && if [ "$OFFICE" = yes ]; then \
        apt-get install -y --no-install-recommends libreoffice-writer-nogui libreoffice-calc-nogui; fi \
    && rm -rf /var/lib/apt/lists/*
RUN useradd --uid 10001 --create-home --shell /usr/sbin/nologin gongkai \
    && install -d -o gongkai -g gongkai /data /out
COPY --from=build /opt/gongkai /opt/gongkai
COPY deploy/workspace.yaml /etc/gongkai/workspace.yaml
COPY regions /regions
ENV PATH=/opt/gongkai/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    LANG=C.UTF-8 \
    GONGKAI_DATA=/data \
    GONGKAI_OUT=/out \
    GONGKAI_REGIONS=/regions
USER 10001:10001
WORKDIR /home/gongkai
VOLUME ["/data", "/out"]
# Makes dagster.yaml from the settings, then becomes the command.
ENTRYPOINT ["python", "-m", "assets.instance"]
CMD ["gongkai", "--help"]
