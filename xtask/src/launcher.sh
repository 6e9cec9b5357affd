#!/bin/sh
# Starts selfsame with the libtorch that it finds: the one that SELFSAME_LIBTORCH names, `lib` or `libtorch/lib` beside
# this script, or whatever the dynamic linker knows (LD_LIBRARY_PATH). Without one, commands that compute nothing answer all the
# same, and the others say what is lacking.
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
    reason="SELFSAME_LIBTORCH is $SELFSAME_LIBTORCH, which holds no libtorch_cpu.so, nor does its folder lib; name a libtorch 2.11.0"
elif [ -e "$here/lib/libtorch_cpu.so" ] || [ -e "$here/libtorch/lib/libtorch_cpu.so" ] ||
    "$program" --version >/dev/null 2>&1; then
    exec "$program" "$@"
else
    reason="selfsame needs libtorch 2.11.0, and libtorch_cpu.so is neither in $here/lib nor in $here/libtorch/lib nor on the \
library search path (LD_LIBRARY_PATH). Unpack libtorch 2.11.0 there, or set SELFSAME_LIBTORCH to its folder; the folder torch \
of an installed PyTorch 2.11.0 is one too"
fi
SELFSAME_WITHOUT_LIBTORCH=$reason
LD_LIBRARY_PATH=$here/bin/without-libtorch
export SELFSAME_WITHOUT_LIBTORCH LD_LIBRARY_PATH
exec "$program" "$@"
