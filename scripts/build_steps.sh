# Sourced by scripts/demo and scripts/test: configuring and building with a progress that suits a
# terminal and a log alike. Expects to be in the project's top folder, with `set -euo pipefail`.

# What one clone has compiled another one need not: ccache sees paths relative to the clone.
export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=true

# configure PRESET: silent, unless it fails.
configure() {
    local log
    log=$(mktemp)
    if ! cmake --preset "$1" >"$log" 2>&1; then
        cat "$log" >&2
        rm -f "$log"
        printf 'could not configure the build (preset %s)\n' "$1" >&2
        return 1
    fi
    rm -f "$log"
}

# build PRESET TARGET...: on a terminal Ninja's own single line; in a log a line every tenth part,
# and whatever a compiler has to say.
build() {
    local preset=$1
    shift
    printf 'building (%s): %s\n' "$preset" "$*"
    if [ -t 1 ]; then
        cmake --build --preset "$preset" --target "$@"
        return
    fi
    # Debian's awk, mawk, would wait for 4 KiB of input before it says anything.
    local awk=(awk)
    [ "$(basename "$(readlink -f "$(command -v awk)")")" != mawk ] || awk=(mawk -W interactive)
    cmake --build --preset "$preset" --target "$@" 2>&1 | "${awk[@]}" '
        /^\[[0-9]+\/[0-9]+\]/ {
            split(substr($1, 2), step, /[\/\]]/)
            tenth = int(step[1] * 10 / step[2])
            if (step[1] < step[2] && tenth == shown) next
            shown = tenth
            printf "  %d of %d steps\n", step[1], step[2]
            fflush()
            next
        }
        { print; fflush() }'
}

# programs_of_tests FOLDER LABEL: the programs that the tests with the label run, one a line. ctest
# itself tells a test's command only once its program is built, so its input files are asked.
programs_of_tests() {
    ctest --test-dir "$1" -L "$2" --show-only=json-v1 | /usr/bin/python3 -c '
import json, pathlib, re, sys
wanted = {test["name"] for test in json.load(sys.stdin)["tests"]}
folder = pathlib.Path(sys.argv[1]).resolve()
entry = re.compile(r"add_test\((?:\[=*\[)?([^\s\]]+)(?:\]=*\])? \"([^\"]+)\"")
commands = [command for file in folder.rglob("CTestTestfile.cmake")
            for name, command in entry.findall(file.read_text()) if name in wanted]
programs = {pathlib.Path(c).name for c in commands if pathlib.Path(c).parent == folder / "bin"}
print("\n".join(sorted(programs)))' "$1"
}
