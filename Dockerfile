# resnetkit in a container, on CPUs:   docker build -t resnetkit .
# or on GPUs of NVIDIA:                docker build -t resnetkit:cuda --build-arg DEVICE=cu130 .
# Use:  docker run --rm -v "$PWD:/work" resnetkit train photos
#       where photos is a folder of the current one; on GPUs, with --gpus all
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
RUN useradd --create-home --uid 1000 resnetkit && install --directory --owner resnetkit /work
USER 1000
WORKDIR /work
ENTRYPOINT ["resnetkit"]
CMD ["--help"]
