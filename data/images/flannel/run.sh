#!/bin/sh
# Starts flanneld, which is configured by its environment alone.
set -eu

case $IPTABLES in
    nft | legacy) PATH=/usr/lib/iptables-$IPTABLES:$PATH ;;
    *) echo "IPTABLES is “$IPTABLES”, must be nft or legacy" >&2; exit 1 ;;
esac
exec /usr/bin/flanneld
