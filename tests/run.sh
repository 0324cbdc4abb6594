#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The test command: installs what it needs on Debian 12, builds, and runs every test.
#   tests/run.sh [PART…]    parts: lint gcc sanitizers fuzz dist host; all without arguments
# Run as root. The last line is “N passed, N failed, N skipped”.
set -euo pipefail
cd "$(dirname "$0")/.."
top=$PWD
export LC_ALL=C.UTF-8

. tests/packages.sh
fuzz_seconds=${FUZZ_SECONDS:-3}
jobs=$(nproc)
passed=0 failed=0 skipped=0
failures=()

say () { printf '\n== %s\n' "$*"; }

# One check that passes or fails as a whole; its output is shown if it fails.
check () {
  local name=$1 log
  shift
  log=$(mktemp)
  if "$@" >"$log" 2>&1; then
    passed=$((passed + 1))
    echo "ok - $name"
  else
    failed=$((failed + 1))
    failures+=("$name")
    echo "not ok - $name"
    tail -n 60 "$log"
  fi
  rm -f "$log"
}

# The results of `make check`, test case by test case, from automake's files.
count_results () {
  local dir=$1 kind result
  while read -r result; do
    case $result in
      PASS | XFAIL) passed=$((passed + 1)) ;;
      SKIP) skipped=$((skipped + 1)) ;;
      *) failed=$((failed + 1)) ;;
    esac
  done < <(find "$dir/tests" -name '*.trs' -exec sed -n 's/^:test-result: \([A-Z]*\).*/\1/p' {} +)
  while read -r kind; do
    failures+=("$dir: $kind")
  done < <(grep -rhE '^(FAIL|ERROR)' "$dir/test-suite.log" 2>/dev/null | sort -u | head -n 40)
}

configure () {
  local dir=$1
  shift
  mkdir -p "$dir"
  (cd "$dir" && "$top/configure" --enable-werror "$@")
}

build () {
  local name=$1 dir=build-tests/$1
  shift
  say "$name: build"
  rm -rf "$dir"
  check "$name: configure" configure "$dir" "$@"
  check "$name: make" make -C "$dir" -j"$jobs" all
  check "$name: make the tests" make -C "$dir" -j"$jobs" check TESTS=
}

build_and_check () {
  local name=$1 dir=build-tests/$1
  build "$@"
  say "$name: unit tests"
  make -C "$dir" -j"$jobs" check >"$dir/check.log" 2>&1 || tail -n 60 "$dir/check.log"
  [ -f "$dir/test-suite.log" ] || { failed=$((failed + 1)); failures+=("$name: make check"); }
  count_results "$dir"
  grep -E '^# (TOTAL|PASS|FAIL|SKIP|ERROR)' "$dir/check.log" | paste -sd' ' || true
}

part_lint () {
  say "lint"
  for script in tests/lint/*; do
    check "lint: $(basename "$script")" "$script"
  done
}

part_gcc () {
  build_and_check gcc --prefix=/usr --sysconfdir=/etc
  check "gcc: make bench" make -C build-tests/gcc bench
}
part_sanitizers () {
  build_and_check sanitizers --enable-sanitizers CFLAGS='-g -O1' CXXFLAGS='-g -O1'
}

fuzz () {
  local dir=$1 name=$2
  mkdir -p "$dir/corpus-$name"
  env ASAN_OPTIONS=fast_unwind_on_malloc=0:malloc_context_size=10 LSAN_OPTIONS="suppressions=$top/tests/lsan.supp" \
    "$dir/tests/fuzz/$name" -max_total_time="$fuzz_seconds" -timeout=10 -rss_limit_mb=2048 \
    -max_len=65536 -artifact_prefix="$dir/" "$dir/corpus-$name" "$top/tests/fuzz/corpus/${name#fuzz-}"
}

# What a fuzzer that ran in the background said, and its status.
fuzzed () {
  cat "$1.log"
  [ "$(cat "$1.status")" = 0 ]
}

part_fuzz () {
  local dir=build-tests/fuzz target name names=()
  say "fuzz targets, $fuzz_seconds seconds each"
  rm -rf "$dir"
  check "fuzz: configure" configure "$dir" CC=clang CXX=clang++ --enable-fuzzing \
    CFLAGS='-g -O1' CXXFLAGS='-g -O1'
  check "fuzz: make" make -C "$dir" -j"$jobs" fuzzers
  for target in "$dir"/tests/fuzz/fuzz-*; do
    [ -x "$target" ] && [ -f "$target" ] || continue
    name=$(basename "$target")
    names+=("$name")
    while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do wait -n || true; done
    (fuzz "$dir" "$name" >"$dir/$name.log" 2>&1 && echo 0 || echo $?) >"$dir/$name.status" &
  done
  wait
  for name in "${names[@]}"; do check "$name" fuzzed "$dir/$name"; done
}

part_dist () {
  say "distribution, built by clang"
  rm -rf build-tests/dist
  check "dist: configure" configure build-tests/dist
  # The unit tests have run from the same files already, and nothing of this build runs.
  check "dist: make distcheck" make -C build-tests/dist -j"$jobs" distcheck TESTS= \
    DISTCHECK_CONFIGURE_FLAGS="--enable-werror CC=clang CXX=clang++ CFLAGS=-O0 CXXFLAGS=-O0"
}

part_host () {
  local stage=$top/build-tests/stage tap
  say "host tests in a booted systemd"
  rm -rf "$stage"
  [ -f build-tests/gcc/Makefile ] || build gcc --prefix=/usr --sysconfdir=/etc
  check "host: make install" make -C build-tests/gcc -j"$jobs" install DESTDIR="$stage"
  tap=$(mktemp)
  # They wait for guests half of the time.
  ATOMIC_DESTDIR=$stage tests/host/run -j "$((jobs + 2))" 2>&1 | tee "$tap" || true
  passed=$((passed + $(grep -cE '^ok [0-9]+' "$tap" || true)))
  skipped=$((skipped + $(grep -cE '^ok [0-9]+.*# SKIP' "$tap" || true)))
  passed=$((passed - $(grep -cE '^ok [0-9]+.*# SKIP' "$tap" || true)))
  failed=$((failed + $(grep -cE '^(not ok [0-9]+|Bail out!)' "$tap" || true)))
  while read -r line; do failures+=("host: $line"); done \
    < <(grep -E '^(not ok [0-9]+|Bail out!)' "$tap" || true)
  grep -qE '^ok [0-9]+' "$tap" || { failed=$((failed + 1)); failures+=("host: no test ran"); }
  rm -f "$tap"
}

[ "$(id -u)" = 0 ] || { echo "run as root: packages are installed and a host is booted" >&2; exit 1; }
# shellcheck disable=SC2086 # words
install_packages $build_packages $host_packages $check_packages
./autogen.sh >/dev/null 2>&1

start=$SECONDS
[ $# -gt 0 ] || set -- lint gcc sanitizers fuzz dist host
for part in "$@"; do
  part_start=$SECONDS
  "part_$part"
  echo "# $part took $((SECONDS - part_start)) s"
done

say "all took $((SECONDS - start)) s"
for failure in "${failures[@]}"; do echo "FAILED: $failure"; done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
