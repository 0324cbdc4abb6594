#!/bin/sh
# The host goes down: makes the next stop of the daemon stop its containers, too, by taking “live-restore” out of its
# configuration. (“docker stop” is no way: what it stops does not come back at the next boot.)
set -eu

live_restore () { docker --host unix:///run/docker.sock info --format '{{.LiveRestoreEnabled}}'; }

if [ "$(live_restore)" = false ]; then exit 0; fi
sed 's/"live-restore"[[:space:]]*:[[:space:]]*true/"live-restore": false/' /etc/docker/daemon.json > "$CONFIG_FILE.new"
mv "$CONFIG_FILE.new" "$CONFIG_FILE"
kill -HUP "$(cat /run/dockerd.pid)"
tries=0
until [ "$(live_restore)" = false ]; do
    tries=$((tries + 1))
    if [ "$tries" -gt 50 ]; then echo "the daemon does not take its new configuration" >&2; exit 1; fi
    sleep 0.1
done
