# ddl with all its dependencies, for one machine or many. Usage: docs/containers.md.
#
#   docker build -t ddl:cpu .
#   docker build -t ddl:gpu --build-arg ACCELERATOR=gpu --build-arg BASE=ubuntu:24.04 \
#       --build-arg BUILD_BASE=nvidia/cuda:12.9.1-devel-ubuntu24.04 .
#
# Site settings stay outside the image: http_proxy and https_proxy are build arguments of every builder. Pass pip's
# settings as `--secret id=pip.conf,src=pip.conf`. If that file has `cert = /etc/pip.cert`, pass the site's certificates
# as `--secret id=pip.cert,src=ca.pem`. BASE may name a mirror or a digest.

# Debian's slim image instead of python:3.11-slim: its Python gets Debian's security updates, and it has the same
# packages as a debootstrap tree, so the image can be built and tested without a registry.
# On GPUs, TensorFlow's wheels include CUDA's libraries and NCCL, but not nvcc and its headers, which Horovod's
# kernels need: BUILD_BASE provides them. Both bases must be the same release of the same system.
# (ACCELERATOR cannot select a stage: buildah and podman of Debian 12 do not expand variables in stage names.)
ARG BASE=docker.io/library/debian:bookworm-slim
ARG BUILD_BASE=${BASE}

# Everything that needs a compiler is built in this stage, so the final image has no compiler.
FROM ${BUILD_BASE} AS build
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends g++ make python3-venv \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/ddl
# Copy only what setup.sh reads: a change elsewhere then does not rebuild the large environment layer.
COPY LICENSE pyproject.toml requirements.txt setup.sh ./
COPY ddl/*.py ddl/
COPY ddl/distributed ddl/distributed
COPY ddl/files ddl/files
COPY ddl/install ddl/install
ARG ACCELERATOR=cpu
# The cache keeps Horovod's wheel for the next build. The import writes the bytecode that every rank needs: the user
# of the image cannot write there.
RUN --mount=type=cache,id=ddl,target=/var/cache/ddl \
    --mount=type=secret,id=pip.conf,target=/etc/pip.conf \
    --mount=type=secret,id=pip.cert,target=/etc/pip.cert \
    DDL_ACCELERATOR=${ACCELERATOR} DDL_CACHE_DIR=/var/cache/ddl DDL_VENV=/opt/venv ./setup.sh \
    && cd / && /opt/venv/bin/python -c \
        "import h5py, horovod.tensorflow, keras, matplotlib.figure, skimage.io, skimage.transform"

FROM ${BASE}
ARG USER_ID=1000
# Host keys created at installation would be the same in every container. Each container creates its own at start.
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        openssh-client openssh-server python3 \
    && rm -rf /var/lib/apt/lists/* /etc/ssh/ssh_host_* \
    && if id ubuntu > /dev/null 2>&1; then userdel --remove ubuntu; fi \
    && useradd --uid ${USER_ID} --create-home --shell /bin/bash ddl \
    && install --directory --owner=ddl --group=ddl --mode=700 /keys /run/ddl /workspace
COPY --from=build /opt/venv /opt/venv
COPY docker/ssh_config /etc/ssh/ssh_config.d/ddl.conf
COPY . /opt/ddl
ENV PATH=/opt/venv/bin:$PATH DDL_VENV=/opt/venv DDL_SETUP=done
USER ddl
WORKDIR /workspace
EXPOSE 12345
ENTRYPOINT ["/opt/ddl/docker/entrypoint.sh"]
CMD ["help"]
