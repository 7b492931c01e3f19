# The gate as an image: the single executable, the libraries that it loads, a shell and tini, and nothing else. It is run by
# a user without a name, with nothing to write to. Mount your own /etc/pg-gatehouse over the sample, which refuses to start.
#
#   docker build -t pg-gatehouse .
#   docker run --read-only --cap-drop ALL -p 6432:6432 -v ./gate:/etc/pg-gatehouse:ro pg-gatehouse
#
# Nothing of this image gets into the result but glibc and the programs that packaging/image/rootfs.sh names. A release
# names it by its digest (RELEASING.md).
ARG BUILD_IMAGE=node:26.10.0-bookworm-slim

FROM ${BUILD_IMAGE} AS build
RUN apt-get update && apt-get install -y --no-install-recommends binutils libatomic1 tini && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY . .
# The lock file pins every package, and the packages for another architecture are optional ones.
RUN npm ci --no-audit --no-fund && node_modules/.bin/node tools/package/main.ts --only executable --out /made
RUN packaging/image/rootfs.sh /made/pg-gatehouse-* /rootfs

FROM scratch
COPY --from=build /rootfs /
# A number, so that Kubernetes can see that it is not root (runAsNonRoot). Nobody logs in as it.
USER 10001:10001
EXPOSE 6432
# Nothing is started for it but bash: it asks admin.status_listen on 9433, else admin.listen on 9432.
HEALTHCHECK --interval=10s --timeout=5s --start-period=5s \
  CMD ["bash", "/opt/pg-gatehouse/healthcheck.sh", "/healthz"]
# What glibc and libuv read at the start (docs/decisions/0036, 0105); the executable would start itself anew to set them.
ENV UV_THREADPOOL_SIZE=8 MALLOC_ARENA_MAX=2 MALLOC_MMAP_THRESHOLD_=131072
# The first process of a container inherits every orphan, and Node waits for its own children only: tini waits for all.
ENTRYPOINT ["/usr/bin/tini", "--", "/usr/bin/pg-gatehouse"]
CMD ["serve", "--config", "/etc/pg-gatehouse/gatehouse.yaml"]
