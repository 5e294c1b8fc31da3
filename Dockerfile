# resnetkit in a container, on CPUs:   docker build -t resnetkit .
# or on GPUs of NVIDIA:                docker build -t resnetkit:cuda --build-arg DEVICE=cu130 .
# Use:  docker run --rm -v "$PWD:/work" --user "$(id -u):$(id -g)" resnetkit train photos
#       where photos is a folder of the current one; on GPUs, with --gpus all.
#       A volume at /cache keeps what is downloaded and decoded: -v resnetkit:/cache
# What follows the image's name is run instead of CMD, the last line. For an image that does one job:
#       FROM resnetkit
#       CMD ["predict", "run", "photos"]
ARG PYTHON=3.13

FROM python:${PYTHON}-slim-trixie AS build
# Where the builds of torch for a device are: cpu, or a CUDA version such as cu126 or cu130.
ARG DEVICE=cpu
WORKDIR /source
RUN python -m venv /opt/resnetkit
ENV PATH=/opt/resnetkit/bin:$PATH
# torch first, in a layer of its own: it is large, and seldom changes.
RUN pip install --no-cache-dir --index-url "https://download.pytorch.org/whl/${DEVICE}" "torch>=2.9,<2.14"
COPY . .
RUN pip install --no-cache-dir --constraint constraints.txt ".[fast,hub,keras]"

FROM python:${PYTHON}-slim-trixie
COPY --from=build /opt/resnetkit /opt/resnetkit
ENV PATH=/opt/resnetkit/bin:$PATH
# With a compiler, torch.compile makes training faster. Its version is the one of the image's Debian.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install --yes --no-install-recommends g++ && rm -rf /var/lib/apt/lists/*
# For whoever runs it: a number given with --user has no home here.
ENV XDG_CACHE_HOME=/cache
RUN useradd --uid 1000 resnetkit && install --directory --mode 1777 /cache /work
USER 1000
WORKDIR /work
ENTRYPOINT ["resnetkit"]
CMD ["--help"]
