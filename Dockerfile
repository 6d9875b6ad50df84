# codex in a container: built in one stage, run in another as a user other than root.
#
#   docker build -t codex .
#   docker run --rm -v "$PWD:/data" codex train data.paths='notes/*.txt'
#
# /data is the working directory: runs, caches and session logs are written there. Arithmetic runs on the CPU.
FROM node:20-bookworm-slim AS build
# For better-sqlite3, which is compiled if no prebuilt binary can be downloaded.
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3 make g++ \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /app
ENV ONNXRUNTIME_NODE_INSTALL=skip
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts && npm rebuild better-sqlite3
COPY tsconfig.json tsconfig.build.json buf.yaml buf.gen.yaml ./
COPY scripts ./scripts
COPY src ./src
RUN npm run build && npm prune --omit=dev --ignore-scripts

FROM node:20-bookworm-slim
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY package.json README.md LICENSE ./
COPY configs ./configs
RUN ln -s /app/dist/bin.js /usr/local/bin/codex \
 && install -d -o node -g node /data
USER node
WORKDIR /data
VOLUME /data
ENTRYPOINT ["codex"]
CMD ["--help"]
