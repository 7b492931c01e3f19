# The gate as an image: built with the locked dependencies, run by a user without a name, with nothing to write to.
# Mount your own /etc/pg-gatehouse over the sample, whose rules reject everybody.
#
#   docker build -t pg-gatehouse .
#   docker run --read-only --cap-drop ALL -p 6432:6432 -v ./gate:/etc/pg-gatehouse:ro pg-gatehouse

FROM node:26.10.0-bookworm-slim AS build
WORKDIR /build
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json ./
COPY tools ./tools
COPY src ./src
RUN npm run build && npm prune --ignore-scripts --omit=dev --omit=optional

FROM node:26.10.0-bookworm-slim
ENV NODE_ENV=production
# The first process of a container inherits every orphan, and Node waits for its own children only: tini waits for all.
RUN apt-get update && apt-get install -y --no-install-recommends tini && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/pg-gatehouse
COPY --from=build /build/package.json ./
COPY --from=build /build/node_modules ./node_modules
COPY --from=build /build/dist ./dist
COPY bin ./bin
# The status page shows it.
COPY docs/errors.md ./docs/errors.md
COPY config/docker/healthcheck.sh ./
COPY config/gatehouse.yaml config/gatehouse.schema.json config/pg_hba.conf config/pg_ident.conf /etc/pg-gatehouse/
# A number, so that Kubernetes can see that it is not root (runAsNonRoot). Nobody logs in as it.
USER 10001:10001
EXPOSE 6432
# No Node is started for it: bash asks admin.status_listen on 9433, else admin.listen on 9432.
HEALTHCHECK --interval=10s --timeout=5s --start-period=5s \
  CMD ["bash", "/opt/pg-gatehouse/healthcheck.sh", "/healthz"]
# Exec form: signals reach the gate itself, through tini. The flags are those that the bin would set (docs/decisions/0007, 0035).
ENV UV_THREADPOOL_SIZE=8 MALLOC_ARENA_MAX=2 MALLOC_MMAP_THRESHOLD_=131072
ENTRYPOINT ["/usr/bin/tini", "--", "node", "--max-semi-space-size=1", "--disable-sigusr1", "/opt/pg-gatehouse/bin/pg-gatehouse.js"]
CMD ["serve", "--config", "/etc/pg-gatehouse/gatehouse.yaml"]
