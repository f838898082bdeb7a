# The listener has no authentication of its own, so publish it on loopback only:
#   docker build -t codex-sidecar .
#   docker run --pull=never --rm -p 127.0.0.1:7257:7257 --read-only --cap-drop=ALL --security-opt=no-new-privileges codex-sidecar
# A stop lets running requests end (options times.drain and times.connect): give it `--stop-timeout 45`.

FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
# Without scripts: `prepare` would build before there are sources, and no dependency needs one.
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json .tsconfig.build.json .build.js ./
COPY src ./src
RUN npm run build && npm prune --omit=dev --ignore-scripts --no-audit --no-fund

FROM node:24-bookworm-slim
LABEL org.opencontainers.image.title="codex-sidecar" \
      org.opencontainers.image.description="A local proxy that validates bearer tokens before anything goes upstream" \
      org.opencontainers.image.licenses="MIT"
# Loopback within a container is out of everyone's reach; what reaches this address is decided by `-p`.
ENV NODE_ENV=production \
    CODEX_SIDECAR_HOST=0.0.0.0 \
    CODEX_SIDECAR_PORT=7257
WORKDIR /app
# All of it belongs to root and the program runs as another user, so it can not change itself.
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY --from=build /app/src/status/page ./src/status/page
COPY package.json LICENSE ./
USER node
EXPOSE 7257
# The port comes from the environment only: set it there, not in a configuration file, so that this finds it. What a
# Kubernetes Service named codex-sidecar puts into that variable (tcp://...) is no port, neither here nor for the program.
HEALTHCHECK --interval=30s --timeout=3s --start-period=5s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${parseInt(process.env.CODEX_SIDECAR_PORT) || 7257}/livez`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "dist/main.js"]
