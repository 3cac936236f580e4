#!/usr/bin/python3
"""Checks of the source text that no compiler makes: layers, purity, sizes.

  tidy.py ROOT             prints one line a finding, `path:line: text`; exit status 1 if there is any
  tidy.py --format ROOT    the same for clang-format-19; exit status 77 where it is not installed

tidy_test.py plants a violation of each rule. A rule that stands in the way is changed here, with
its reason, in the commit that needs it.
"""

import pathlib
import re
import shutil
import subprocess
import sys

FORMATTER = "clang-format-19"
SKIPPED = 77

LINES_MAX = 500
TABLE_LINES_MAX = 800
# Files that are one long list.
TABLES = {"framework/amqp/methods.hpp"}

SKIPPED_FOLDERS = {".git", "build", "node_modules", "__pycache__", "corpus", "golden"}
SOURCES = (".hpp", ".cpp")
TEXTS = (*SOURCES, ".py", ".cmake", ".txt", ".sh", ".md", ".json", ".yml", ".html", ".js", ".css")

# No Asio, clocks, files, sockets, threads, logging: time and chance come in as arguments.
PURE = ("framework/base", "framework/amqp", "framework/client", "framework/task", "broker/core",
        "broker/store", "workers/core")
# The one place that may touch files in a folder that is pure otherwise.
IMPURE_FILES = re.compile(r"broker/store/posix_disk\w*\.(hpp|cpp)$")

IMPURE_INCLUDES = re.compile(
    r"<(boost/(asio|beast|thread|filesystem|process|regex)\b.*|spdlog/.*|openssl/.*"
    r"|thread|mutex|shared_mutex|condition_variable|future|semaphore|latch|barrier|syncstream"
    r"|fstream|filesystem|iostream|regex|sys/.*|netinet/.*|arpa/.*|unistd\.h|fcntl\.h|poll\.h"
    r"|netdb\.h|signal\.h|csignal|dirent\.h|pthread\.h)>")
IMPURE_CALLS = re.compile(
    r"\b(\w*clock::now|sleep_for|sleep_until|usleep|nanosleep|gettimeofday|clock_gettime"
    r"|(?:std::)?time\s*\(\s*(?:nullptr|NULL|0)\s*\)|std::s?rand\b|s?rand\s*\(|random_device"
    r"|std::regex|boost::regex|std::j?thread|std::this_thread|std::(?:shared_|recursive_)?mutex"
    r"|std::getenv|getenv\s*\(|std::async|std::[io]?fstream|fopen\s*\(|std::cout|std::cerr"
    r"|std::clog|boost::asio|spdlog::)")
# Edges log; pure code returns what is to be logged. base has the sink itself.
LOGS = re.compile(r"\b(log_event|set_log_sink)\s*\(")

# Folder -> folders of the project that it may include with quotes. The first entry that fits counts.
LAYERS = (
    ("framework/include", ()),
    ("broker/include", ()),
    ("framework/base", ("framework/base",)),
    ("framework/amqp", ("framework/base", "framework/amqp")),
    ("framework/client", ("framework/base", "framework/amqp", "framework/client")),
    ("framework/task", ("framework/base", "framework/amqp", "framework/task")),
    ("framework/net", ("framework/base", "framework/amqp", "framework/net")),
    ("framework/app", ("framework/base", "framework/amqp", "framework/client", "framework/task",
                       "framework/net", "framework/app")),
    ("broker/core", ("framework/base", "framework/amqp", "broker/core")),
    ("broker/store", ("framework/base", "broker/store")),
    # Two edges of one program: the server starts the management listener, which asks the server.
    ("broker/server", ("framework/base", "framework/amqp", "framework/net", "broker/")),
    ("broker/admin", ("framework/base", "framework/amqp", "framework/net", "broker/")),
    ("workers/core", ("framework/base", "framework/amqp", "framework/client", "framework/task",
                      "workers/core")),
    ("workers/run", ("framework/", "workers/")),
    ("examples", ("examples/",)),
    ("tests", ("framework/", "broker/", "workers/", "examples/", "tests/")))
# Folders below the public headers.
WITHOUT_PUBLIC_HEADERS = ("framework/base", "framework/amqp", "broker/core", "broker/store")
# What users' programs see of us: nothing but these and the standard library.
PUBLIC = ("framework/include", "broker/include")
PUBLIC_INCLUDES = re.compile(r"<(lovage/[\w/]+\.hpp|boost/[\w/]+\.hpp|[a-z_0-9]+)>")

# Mirrors of the pure folders: their tests need none of this either. (Files they may read.)
UNIT_TESTS = tuple("tests/" + folder for folder in PURE)
NOT_IN_UNIT_TESTS = re.compile(
    r"\bsleep_for|sleep_until|usleep\s*\(|std::j?thread|<thread>|<sys/socket\.h>|<boost/asio")

OPEN_ENDS = re.compile(r"\b(TODO|FIXME|XXX)\b(?!\s*\(#\d+\))")
MACHINE_PATHS = re.compile(r"(?<![\w.])/(work|root|home)/\w")
INCLUDE = re.compile(r'^\s*#\s*include\s*(<[^>]*>|"[^"]*")')


def inside(path, folder):
    folder = folder.rstrip("/")
    return path == folder or path.startswith(folder + "/")


def without_comments(text):
    """The same lines without comments and without what stands in string and character literals."""
    pattern = re.compile(
        r'//[^\n]*|/\*.*?\*/|R"(?P<tag>[^(\s]*)\(.*?\)(?P=tag)"|"(?:\\.|[^"\\\n])*"'
        r"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'", re.S)

    def blank(match):
        return "\n" * match[0].count("\n") if match[0][0] == "/" else '""' + "\n" * match[0].count("\n")
    return pattern.sub(blank, text)


class Tidy:
    def __init__(self, root):
        self.root = pathlib.Path(root).resolve()
        self.findings = []

    def files(self):
        for path in sorted(self.root.rglob("*")):
            parts = path.relative_to(self.root).parts
            if not SKIPPED_FOLDERS.intersection(parts) and path.is_file():
                yield path, "/".join(parts)

    def found(self, path, line, text):
        self.findings.append(f"{path}:{line}: {text}")

    def run(self):
        for file, path in self.files():
            is_script = "scripts" in pathlib.PurePath(path).parts
            if not path.endswith(TEXTS) and not is_script:
                continue
            try:
                text = file.read_text("utf-8")
            except UnicodeDecodeError:
                continue
            if not inside(path, "tests/tidy"):
                self.check_text(path, text)
            if path.endswith((*SOURCES, ".py", ".sh")) or is_script:
                self.check_length(path, text)
            if path.endswith(SOURCES):
                self.check_source(path, text)
        return self.findings

    def check_text(self, path, text):
        for number, line in enumerate(text.splitlines(), 1):
            if OPEN_ENDS.search(line):
                self.found(path, number, "an open end without the number of its issue")
            if MACHINE_PATHS.search(line):
                self.found(path, number, "a path of one machine")

    def check_length(self, path, text):
        most = TABLE_LINES_MAX if path in TABLES else LINES_MAX
        lines = len(text.splitlines())
        if lines > most:
            self.found(path, lines, f"{lines} lines, {most} are the most")

    def check_source(self, path, text):
        if path.endswith(".hpp"):
            if not text.startswith("// "):
                self.found(path, 1, "a header begins with what it is for")
            if "\n#pragma once\n" not in text:
                self.found(path, 1, "a header without #pragma once")
        pure = any(inside(path, folder) for folder in PURE) and not IMPURE_FILES.match(path)
        unit_test = any(inside(path, folder) for folder in UNIT_TESTS)
        includes = []
        for number, line in enumerate(text.splitlines(), 1):
            include = INCLUDE.match(line)
            if include:
                includes.append(include[1])
                self.check_include(path, number, include[1], pure)
                if unit_test and NOT_IN_UNIT_TESTS.search(include[1]):
                    self.found(path, number, f"{include[1]} in a unit test")
        if len(includes) != len(set(includes)):
            self.found(path, 1, "the same include twice")
        for number, line in enumerate(without_comments(text).splitlines(), 1):
            if INCLUDE.match(line):
                continue
            call = IMPURE_CALLS.search(line) if pure else None
            call = call or (NOT_IN_UNIT_TESTS.search(line) if unit_test else None)
            if pure and LOGS.search(line) and not inside(path, "framework/base"):
                self.found(path, number, "pure code does not log")
            if call:
                self.found(path, number, f"{call[0]} in a pure folder or its unit tests")

    def check_include(self, path, number, include, pure):
        name = include[1:-1]
        if pure and IMPURE_INCLUDES.match(include):
            self.found(path, number, f"{include} in a pure folder")
        if any(inside(path, folder) for folder in PUBLIC) and not PUBLIC_INCLUDES.fullmatch(include):
            self.found(path, number, f"{include} in a public header")
        if include[0] == "<":
            if name.startswith("lovage/") and any(
                    inside(path, folder) for folder in WITHOUT_PUBLIC_HEADERS):
                self.found(path, number, f"{include} below the public headers")
            if re.match(r"(framework|broker|workers|tests|examples)/", name):
                self.found(path, number, f"{include} must stand in quotes")
            return
        if not (self.root / name).is_file():
            self.found(path, number, f"{include} is not relative to the root, or is missing")
        for folder, allowed in LAYERS:
            if inside(path, folder):
                if not any(inside(name, other) for other in allowed):
                    self.found(path, number, f"{include} points against the layers")
                break


def check_format(root):
    if not shutil.which(FORMATTER):
        print(f"{FORMATTER} is not installed")
        return SKIPPED
    sources = [str(file) for file, path in Tidy(root).files() if path.endswith(SOURCES)]
    done = subprocess.run([FORMATTER, "--style=file", "--dry-run", "--Werror", *sources],
                          cwd=root, check=False, capture_output=True, text=True)
    unformatted = sorted(set(re.findall(r"^(/.+?):\d+:\d+: error:", done.stderr, re.M)))
    for path in unformatted:
        print(f"{pathlib.Path(path).relative_to(pathlib.Path(root).resolve())}: not formatted "
              f"({FORMATTER} -i)")
    if done.returncode and not unformatted:
        print(done.stderr)
    return 1 if done.returncode else 0


def main(arguments):
    if len(arguments) == 2 and arguments[0] == "--format":
        return check_format(arguments[1])
    if len(arguments) != 1:
        sys.exit(__doc__)
    findings = Tidy(arguments[0]).run()
    print("\n".join(findings) or "nothing found")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
