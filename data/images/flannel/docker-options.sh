#!/bin/sh
# Writes Docker's options for the leased subnet, as flannel's mk-docker-opts.sh does.
# docker-options [SUBNET-FILE [OPTIONS-FILE]]
set -eu

subnet_file=${1:-/run/flannel/subnet.env}
options_file=${2:-/run/flannel/docker}

. "$subnet_file"
# Who masquerades is one of the two, never both.
case $FLANNEL_IPMASQ in
    true) ip_masq=false ;;
    *) ip_masq=true ;;
esac
cat > "$options_file.new" <<END
DOCKER_OPT_BIP="--bip=$FLANNEL_SUBNET"
DOCKER_OPT_IPMASQ="--ip-masq=$ip_masq"
DOCKER_OPT_MTU="--mtu=$FLANNEL_MTU"
DOCKER_NETWORK_OPTIONS="--bip=$FLANNEL_SUBNET --ip-masq=$ip_masq --mtu=$FLANNEL_MTU"
END
mv "$options_file.new" "$options_file"
