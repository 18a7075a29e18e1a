# One image for the server, the clients and the scenario that `docker run --rm grpc-chat` plays.
# Only instructions that every builder knows (no --mount, no --chmod): docker with and without
# BuildKit, podman, buildah. How to run it: docs/how-to/container.md. tools/container.sh tries all of that.

FROM python:3.13-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1

# /opt/build makes the wheel and stays behind; /opt/grpc-chat goes into the image, without a pip.
RUN python3 -m venv /opt/build \
 && python3 -m venv --without-pip /opt/grpc-chat

WORKDIR /src
COPY requirements.lock requirements-build.lock ./
# Wheels only: the image has no compiler, and nothing but a wheel is installed without running its code.
# No bytecode yet: pip's carries the time of its source, and not every copy of a layer keeps that.
RUN /opt/build/bin/pip --python /opt/grpc-chat/bin/python3 install \
      --no-compile --only-binary :all: --require-hashes -r requirements.lock \
 && /opt/build/bin/pip install --only-binary :all: --require-hashes -r requirements-build.lock

# The web client, built by the Node.js of a wheel.
COPY web web
COPY tools/node.py tools/web.py tools/
RUN /opt/build/bin/python3 -m tools.web build

COPY pyproject.toml README.md LICENSE chat.proto ./
COPY grpc_chat grpc_chat
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir dist . \
 && /opt/build/bin/pip --python /opt/grpc-chat/bin/python3 install --no-compile --no-deps --no-index dist/*.whl \
 && /opt/grpc-chat/bin/python3 -m compileall -q --invalidation-mode unchecked-hash /opt/grpc-chat/lib

COPY server.py client.py run_test_1.py chat.proto /app/
# A checkout made under umask 077 must not give files that the image's user cannot read.
RUN chmod -R a+rX /app


FROM python:3.13-slim

# The base image has no bytecode of the standard library, and a non-root user cannot write it: without
# this, each start and each health check compiles some 200 modules anew (1.1 s of CPU instead of 0.6).
RUN python3 -m compileall -q --invalidation-mode unchecked-hash \
      -x '/(site-packages|dist-packages|ensurepip|idlelib|tkinter|turtledemo|lib2to3|test)/' \
      "$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')"

# Any uid may be given (--user 12345), so nothing here can belong to it beforehand: /data is open like
# /tmp, and the server makes a folder of its own in it, mode 0700.
RUN mkdir -m 1777 /data

COPY --from=build /opt/grpc-chat /opt/grpc-chat
COPY --from=build /app /app

ENV PATH=/opt/grpc-chat/bin:$PATH \
    HOME=/tmp \
    LANG=C.UTF-8 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    GRPC_CHAT_HOST=0.0.0.0 \
    GRPC_CHAT_WEB__HOST=0.0.0.0 \
    GRPC_CHAT_DATA=/data/chat

WORKDIR /app
VOLUME ["/data"]
EXPOSE 50051 8080
# By number, so that Kubernetes can tell that it is not root. There is no such account in the image,
# on purpose: any other uid works the same way.
USER 10001:10001
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=15s --retries=3 CMD ["grpc-chat", "health"]

ARG VERSION=""
ARG REVISION=""
LABEL org.opencontainers.image.title="grpc-chat" \
      org.opencontainers.image.description="Self-hosted group chat whose one API is gRPC" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

CMD ["python3", "run_test_1.py"]
