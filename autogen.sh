#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Makes `configure` from configure.ac; run it once in a checkout, and again after a change to it.
set -eu
cd "$(dirname "$0")"
mkdir -p m4 build-aux
exec autoreconf --force --install --warnings=all
