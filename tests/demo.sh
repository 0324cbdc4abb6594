#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# The main job, shown: builds, boots a throw-away Debian, installs etcd, flannel and docker there from a registry with
# signatures, reboots it, and shows what starts when. As root on Debian 12; under five minutes, faster the second time.
# Colours only on a terminal. Leaves build-demo/ and the cache of trees and images (see tests/host/README.md).
set -eu
cd "$(dirname "$0")/.."
export LC_ALL=C.UTF-8
began=$(date +%s)

[ "$(id -u)" = 0 ] || { echo "run as root: packages are installed and a host is booted" >&2; exit 1; }
. tests/packages.sh
# shellcheck disable=SC2086 # words
install_packages $build_packages $host_packages || { echo "demo: failed to install packages" >&2; exit 1; }
DEMO_BEGAN=$began exec python3 tests/host/demo "$@"
