# Sluice runs its sources: there is no build step (docs/adr/0008-no-build-step.md).
FROM node:24.21.0-slim AS dependencies
WORKDIR /opt/sluice
COPY package.json package-lock.json .npmrc ./
# The image brings its own Node, so the optional packages that hold one stay out.
RUN npm ci --omit=dev --omit=optional --ignore-scripts

FROM node:24.21.0-slim
# git reads the source. HAProxy is for `gateway start` in this image; `run` beside agents of their
# own does not need it.
RUN apt-get update \
  && apt-get install -y --no-install-recommends ca-certificates git haproxy \
  && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/sluice
COPY --from=dependencies /opt/sluice/node_modules ./node_modules
COPY package.json LICENSE ./
COPY reconciler ./reconciler
COPY blueprints ./blueprints
RUN ln -s /opt/sluice/reconciler/sluice /usr/local/bin/sluice \
  && install -d -o node -g node -m 700 /var/lib/sluice
# Journal, lock, mirror and the agent's splits: all that must survive a restart.
ENV SLUICE_STATE_DIR=/var/lib/sluice
VOLUME /var/lib/sluice
WORKDIR /etc/sluice
USER node
# Exec form, so that SIGTERM reaches Sluice. `sluice.yml` is looked for in /etc/sluice.
ENTRYPOINT ["node", "/opt/sluice/reconciler/main.ts"]
CMD ["run"]
