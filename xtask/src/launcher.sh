#!/bin/sh
# Starts selfsame with the libtorch that it finds: the one that SELFSAME_LIBTORCH names, `lib` or `libtorch/lib` beside
# this script, or whatever the dynamic linker knows (LD_LIBRARY_PATH).
here=$(dirname -- "$(readlink -f -- "$0")")
program=$here/bin/selfsame

if [ -n "${SELFSAME_LIBTORCH:-}" ]; then
    for folder in "$SELFSAME_LIBTORCH" "$SELFSAME_LIBTORCH/lib"; do
        if [ -e "$folder/libtorch_cpu.so" ]; then
            LD_LIBRARY_PATH=$folder${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
            export LD_LIBRARY_PATH
            exec "$program" "$@"
        fi
    done
    echo "error: SELFSAME_LIBTORCH is $SELFSAME_LIBTORCH, which holds no libtorch_cpu.so, nor does its folder lib;" \
        "name a libtorch 2.11.0" >&2
    exit 5
fi
if [ -e "$here/lib/libtorch_cpu.so" ] || [ -e "$here/libtorch/lib/libtorch_cpu.so" ] ||
    "$program" --version >/dev/null 2>&1; then
    exec "$program" "$@"
fi
echo "error: selfsame needs libtorch 2.11.0, and libtorch_cpu.so is neither in $here/lib nor in $here/libtorch/lib nor" \
    "on the library search path (LD_LIBRARY_PATH). Unpack libtorch 2.11.0 there, or set SELFSAME_LIBTORCH to its folder;" \
    "the folder torch of an installed PyTorch 2.11.0 is one too" >&2
exit 5
