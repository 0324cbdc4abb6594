# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=sh disable=SC2034
# The Debian packages that tests/run.sh and tests/demo.sh need; to be sourced.

# to build
build_packages='
  autoconf automake libtool pkg-config make gcc g++
  libfuse3-dev libglib2.0-dev libostree-dev libjson-glib-dev libsoup-3.0-dev libgpgme-dev libsystemd-dev
  libarchive-dev libssl-dev libisal-dev zlib1g-dev libzstd-dev libyaml-dev libtomlplusplus-dev
'
# to make images and keys, and to boot a host
host_packages='
  ca-certificates dbus debootstrap gnupg iproute2 procps python3 systemd systemd-container util-linux
  zstd
'
# to check everything else
check_packages='
  busybox-static bzip2 clang clang-format cppcheck crun curl docker-registry libclang-rt-14-dev man-db
  libseccomp-dev openssl ostree podman runc skopeo xz-utils
'

# Installs those of the packages that are missing.
install_packages () {
  missing=
  for package in "$@"; do
    dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed \
      || missing="$missing $package"
  done
  [ -n "$missing" ] || return 0
  printf '\n== installing%s\n' "$missing"
  # shellcheck disable=SC2086 # words
  apt-get update -qq \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
}
