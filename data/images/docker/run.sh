#!/bin/sh
# Starts dockerd with the subnet that flannel leased, if there is one.
set -eu

# This container has no PID namespace, so when its first process ends the runtime kills whatever is in the container's
# cgroup. The shims of running containers must survive that: move to a sibling of this cgroup, below the same unit. One
# process stays behind, as systemd removes empty cgroups and “runc exec” needs this one.
sleep infinity &
while IFS=: read -r _ controllers path; do
    case $path in */"$NAME") ;; *) continue ;; esac
    case $controllers in
        '') top=/sys/fs/cgroup
            if [ ! -e "$top/cgroup.procs" ]; then top=/sys/fs/cgroup/unified; fi ;;
        name=*) top=/sys/fs/cgroup/${controllers#name=} ;;
        *) top=/sys/fs/cgroup/$controllers ;;
    esac
    daemon=$top${path%/*}/daemon
    mkdir -p "$daemon"
    for file in cpuset.cpus cpuset.mems; do   # cgroup v1: empty in a new cgroup, and then nobody may enter
        if [ -e "$top$path/tasks" ] && [ -e "$daemon/$file" ]; then cat "$top$path/$file" > "$daemon/$file"; fi
    done
    echo $$ > "$daemon/cgroup.procs"
done < /proc/self/cgroup

case $IPTABLES in
    nft | legacy) PATH=/usr/lib/iptables-$IPTABLES:$PATH ;;
    *) echo "IPTABLES is “$IPTABLES”, must be nft or legacy" >&2; exit 1 ;;
esac

DOCKER_NETWORK_OPTIONS=
if [ -e "$NETWORK_OPTIONS_FILE" ]; then . "$NETWORK_OPTIONS_FILE"; fi

# One socket for the clients of the host, one where containers that are given “/var/run/docker.sock” look for it. As
# daemon.json may say it too, and dockerd wants it said once only:
if ! grep -q '"hosts"' /etc/docker/daemon.json 2>/dev/null; then
    set -- --host unix:///run/docker-socket/docker.sock --host unix:///run/docker.sock
fi
ln -s /etc/docker/daemon.json "$CONFIG_FILE"   # see last-stop
exec dockerd --config-file "$CONFIG_FILE" --data-root /var/lib/docker --pidfile /run/dockerd.pid "$@" $DOCKER_NETWORK_OPTIONS $OPTIONS
