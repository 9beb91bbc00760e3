#!/bin/sh
# Brings the whole stack up on this machine: makes .env with random passwords if there is none, builds, starts, waits.
#
#   sh scripts/start-stack.sh             for your own providers
#   sh scripts/start-stack.sh --example   with the example pipeline on a simulated provider
set -eu
cd "$(dirname "$0")/.."

case "${1-}" in
  '' | --example) ;;
  -h | --help) sed -n '2,5s/^# \{0,1\}//p' "$0"; exit 0 ;;
  *) echo "usage: sh scripts/start-stack.sh [--example]" >&2; exit 2 ;;
esac
docker compose version >/dev/null 2>&1 || { echo "Docker with the compose plugin is needed." >&2; exit 1; }

if [ ! -e .env ]; then
  # The script needs no packages: any Node will do, and without one a container's does.
  if command -v node >/dev/null; then
    node scripts/generate-env.mjs "$@"
  else
    docker run --rm --volume "$PWD:/work" --workdir /work --user "$(id -u):$(id -g)" node:24.21.0-bookworm-slim \
      node scripts/generate-env.mjs "$@"
  fi
fi
docker compose up --detach --build --wait
setting() { sed -n "s/^$1=//p" .env; }
port=$(setting GRAFANA_PORT)
api=$(setting MILLRACE_PORT)
echo "API      http://127.0.0.1:${api:-8080}   (a key: docker compose run --rm api keys create --name me --scope costs:read)"
echo "Grafana  http://127.0.0.1:${port:-3000}   (admin, GRAFANA_PASSWORD in .env)"
