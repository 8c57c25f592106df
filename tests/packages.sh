# SPDX-FileCopyrightText: the gaio authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What the scripts share: the packages of Debian that gaio is built and tested with, and how to get
# those that are missing. To be sourced by bash; it defines things and does nothing.
# shellcheck shell=bash disable=SC2034

gaio_build_packages=(
  meson ninja-build gcc g++ pkg-config
  libglib2.0-dev liburing-dev
  gobject-introspection libgirepository1.0-dev valac gi-docgen
  libgstreamer1.0-dev libgstreamer-plugins-base1.0-dev
)

gaio_run_packages=(
  python3 python3-gi gjs gir1.2-glib-2.0
  gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-base-apps
  gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly gstreamer1.0-libav
)

gaio_test_packages=(
  binutils procps strace libseccomp-dev python3-pytest spin
  libuv1-dev xvfb gir1.2-gtk-4.0 libxtst6
  e2fsprogs xfsprogs btrfs-progs libfuse3-dev
)

# What the benchmarks compare with, and draw with.
gaio_benchmark_packages=(
  libuv1-dev libevent-dev python3-matplotlib
)

gaio_ci_packages=(
  clang libclang-rt-dev valgrind
)

say() {
  printf '%s\n' "$*" >&2
}

# What of the packages named is not installed.
gaio_missing_packages() {
  local package
  for package in "$@"; do
    if [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" != installed ]; then
      printf '%s\n' "$package"
    fi
  done
}

# Installs what is missing. Without the right to do so it says what to install and returns: the
# build tells soon enough whether it can do without, and a test that cannot is skipped.
gaio_install_packages() {
  local missing as_root=()

  if ! command -v dpkg-query >/dev/null; then
    say "This is no Debian: nothing is installed. What is needed, by its name there: $*"
    return 0
  fi
  mapfile -t missing < <(gaio_missing_packages "$@")
  if [ "${#missing[@]}" -eq 0 ]; then
    return 0
  fi
  say "Missing packages: ${missing[*]}"
  if [ "$(id -u)" -ne 0 ]; then
    if command -v sudo >/dev/null && { [ -t 0 ] || sudo -n true 2>/dev/null; }; then
      as_root=(sudo)
    else
      say "Going on without them: only root can install them, with: apt-get install ${missing[*]}"
      return 0
    fi
  fi
  as_root+=(env DEBIAN_FRONTEND=noninteractive apt-get -qq)
  "${as_root[@]}" update </dev/null >&2
  if ! "${as_root[@]}" install -y --no-install-recommends "${missing[@]}" </dev/null >&2; then
    # One that cannot be had must not keep the others away.
    local package
    for package in "${missing[@]}"; do
      "${as_root[@]}" install -y --no-install-recommends "$package" </dev/null >&2 ||
        say "Going on without $package, which apt-get cannot install."
    done
  fi
  gaio_packages_changed=yes
}

# Debian's meson runs in Debian's Python whatever python3 PATH leads to, which knows neither gi nor
# the place of Debian's modules.
gaio_find_meson() {
  if [ -x /usr/bin/meson ]; then
    printf '/usr/bin/meson\n'
  elif ! command -v meson; then
    say "There is no meson."
    return 1
  fi
}

# A directory to build in: $GAIO_BUILD, or build/ in the checkout $1, or one of this user's own when
# the checkout belongs to somebody else.
gaio_build_dir() {
  local build=${GAIO_BUILD:-$1/build}
  if [ -z "${GAIO_BUILD:-}" ] && ! { mkdir -p "$build" 2>/dev/null && [ -w "$build" ] &&
    { [ ! -e "$build/build.ninja" ] || [ -w "$build/build.ninja" ]; }; }; then
    build=${XDG_CACHE_HOME:-$HOME/.cache}/gaio-build
  fi
  mkdir -p "$build" && (cd "$build" && pwd)
}

# Configures the checkout $1 in the directory $2 with further options of meson, and builds it.
gaio_build() {
  local source=$1 build=$2 meson
  shift 2
  meson=$(gaio_find_meson) || return 1
  if [ ! -e "$build/build.ninja" ]; then
    "$meson" setup "$@" "$build" "$source" >&2 || return 1
  elif [ -n "${gaio_packages_changed:-}" ]; then
    "$meson" setup --reconfigure "$@" "$build" "$source" >&2 || return 1
  fi
  ninja -C "$build" >&2
}
