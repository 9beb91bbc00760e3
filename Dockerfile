# Millrace as an image: the command line, on Node, as a user without rights. Roles come from MILLRACE_ROLES.
# Your own stages: FROM this image, and COPY the compiled files to /app/stages; there they find millrace, ai and zod.
ARG NODE_VERSION=24.21.0
# "@sha256:…" of that image: node scripts/pin-images.mjs writes it where a registry can be asked.
ARG NODE_DIGEST=

FROM node:${NODE_VERSION}-bookworm-slim${NODE_DIGEST} AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY . .
# S3 and the providers are kept, in the versions of the lock file; what is embedded stays behind, half a gigabyte of it.
RUN node node_modules/typescript-native/bin/tsc -p tsconfig.build.json --noCheck \
  && node scripts/keep-packages.mjs @aws-sdk/client-s3 @ai-sdk/anthropic @ai-sdk/openai @ai-sdk/openai-compatible \
  && npm prune --omit=dev \
  && rm -rf node_modules/typescript node_modules/typescript-native dist/test dist/dashboards dist/scripts \
  && find dist \( -name '*.test.*' -o -name '*.board.*' -o -name '*.alerts.*' \) -delete

FROM node:${NODE_VERSION}-bookworm-slim${NODE_DIGEST}
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build /app/package.json /app/LICENSE ./
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/postgres postgres
COPY --from=build /app/clickhouse clickhouse
COPY --from=build /app/docker docker
COPY --from=build /app/dist dist
# A named volume mounted here takes its owner over from the image.
RUN mkdir /var/lib/millrace && chown node:node /var/lib/millrace
USER node
WORKDIR /var/lib/millrace
ENTRYPOINT ["node", "/app/dist/src/cli/millrace-command.js"]
CMD ["--help"]
