#!/usr/bin/python3
"""Plants one violation of each rule of tidy.py in a temporary tree; each must be found."""

import contextlib
import io
import pathlib
import shutil
import tempfile
import unittest

import tidy

HEADER = "// A noun. Called by tests.\n#pragma once\n\n"
CLEAN = {
    "framework/include/lovage/task.hpp": HEADER + "#include <boost/json/value.hpp>\n#include <string>\n",
    "framework/base/bytes.hpp": HEADER + "#include <string>\n",
    "framework/amqp/frame.hpp": HEADER + '#include "framework/base/bytes.hpp"\n',
    "framework/task/envelope.hpp": HEADER + '#include "framework/amqp/frame.hpp"\n'
                                            "#include <lovage/task.hpp>\n",
    "framework/net/stream.cpp": '#include "framework/base/bytes.hpp"\n'
                                "#include <boost/asio/ip/tcp.hpp>\n#include <thread>\n",
    "broker/core/queue.cpp": '#include "framework/amqp/frame.hpp"\n'
                             'const char* text = "std::thread is named here, rand() too";\n'
                             "// A comment may speak of steady_clock::now() and std::mutex.\n"
                             "int operand(int now);\n",
    "broker/store/posix_disk.cpp": "#include <fcntl.h>\n#include <sys/stat.h>\n",
    "tests/broker/core/queue_test.cpp": '#include "framework/amqp/frame.hpp"\n#include <fstream>\n',
    "CMakeLists.txt": "# a list\n"}

# Where it is planted, what is planted, what the finding says.
VIOLATIONS = (
    ("framework/base/bytes.hpp", "#include <thread>\n", "<thread> in a pure folder"),
    ("framework/amqp/frame.hpp", "#include <boost/asio/post.hpp>\n", "in a pure folder"),
    ("framework/amqp/frame.hpp", "#include <boost/beast/http.hpp>\n", "in a pure folder"),
    ("framework/task/envelope.hpp", "#include <spdlog/spdlog.h>\n", "in a pure folder"),
    ("broker/core/queue.cpp", "#include <mutex>\n", "in a pure folder"),
    ("broker/core/queue.cpp", "#include <fstream>\n", "in a pure folder"),
    ("broker/core/queue.cpp", "#include <regex>\n", "in a pure folder"),
    ("broker/core/queue.cpp", "#include <sys/socket.h>\n", "in a pure folder"),
    ("broker/core/queue.cpp", "auto t = std::chrono::steady_clock::now();\n", "clock::now"),
    ("broker/core/queue.cpp", "auto t = system_clock::now();\n", "clock::now"),
    ("broker/core/queue.cpp", "auto t = time(nullptr);\n", "time(nullptr"),
    ("broker/core/queue.cpp", "void f() { std::this_thread::sleep_for(x); }\n", "in a pure folder"),
    ("broker/core/queue.cpp", "int r = rand();\n", "rand("),
    ("broker/core/queue.cpp", "std::random_device r;\n", "random_device"),
    ("broker/core/queue.cpp", "std::regex r;\n", "std::regex"),
    ("broker/core/queue.cpp", "/* note */ std::thread t;\n", "std::thread"),
    ("broker/core/queue.cpp", "void f() { log_event(x); }\n", "does not log"),
    ("framework/amqp/frame.hpp", '#include "framework/task/envelope.hpp"\n', "against the layers"),
    ("framework/base/bytes.hpp", '#include "framework/amqp/frame.hpp"\n', "against the layers"),
    ("framework/net/stream.cpp", '#include "framework/task/envelope.hpp"\n', "against the layers"),
    ("broker/core/queue.cpp", '#include "framework/task/envelope.hpp"\n', "against the layers"),
    ("broker/store/log.cpp", '#include "framework/amqp/frame.hpp"\n', "against the layers"),
    ("broker/core/queue.cpp", '#include "framework/net/stream.cpp"\n', "against the layers"),
    ("broker/core/queue.cpp", "#include <lovage/task.hpp>\n", "below the public headers"),
    ("framework/include/lovage/task.hpp", '#include "framework/base/bytes.hpp"\n',
     "in a public header"),
    ("framework/include/lovage/task.hpp", "#include <spdlog/spdlog.h>\n", "in a public header"),
    ("framework/amqp/frame.cpp", '#include "frame.hpp"\n', "not relative to the root"),
    ("framework/amqp/frame.cpp", '#include "../base/bytes.hpp"\n', "not relative to the root"),
    ("framework/net/stream.cpp", "#include <framework/base/bytes.hpp>\n", "must stand in quotes"),
    ("framework/net/stream.cpp", "#include <thread>\n", "the same include twice"),
    ("tests/broker/core/queue_test.cpp", "void f() { sleep_for(x); }\n", "sleep_for"),
    ("tests/broker/core/queue_test.cpp", "#include <thread>\n", "in a unit test"),
    ("framework/amqp/long.cpp", "\n" * 501, "501 lines, 500 are the most"),
    ("framework/amqp/methods.hpp", HEADER + "\n" * 800, "800 are the most"),
    ("scripts/demo", "\n" * 501, "500 are the most"),
    ("framework/amqp/frame.cpp", "// TODO: later\n", "an open end"),
    ("CMakeLists.txt", "# FIXME\n", "an open end"),
    ("docs/guide.md", "see /home/someone/notes\n", "a path of one machine"),
    ("framework/amqp/bare.hpp", "#pragma once\n", "begins with what it is for"),
    ("framework/amqp/twice.hpp", "// A noun.\nint once;\n", "without #pragma once"))

HARMLESS = (
    ("framework/amqp/frame.cpp", "// TODO (#12): later\n"),
    ("framework/amqp/methods.hpp", HEADER + "\n" * 700),
    ("broker/core/queue.cpp", "int big = 1'000; char c = 'x'; // std::mutex\n"),
    ("broker/core/queue.cpp", "auto text = R\"(std::thread \"quoted\" rand())\";\n"),
    ("broker/core/queue.cpp", "void f(time_point now) { next(now); }\n"),
    ("build/release/generated.cpp", "#include <nothing>\n// TODO\n"))


class TidyTest(unittest.TestCase):
    def setUp(self):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="lovage-tidy-"))
        self.addCleanup(shutil.rmtree, self.root)
        for path, text in CLEAN.items():
            self.add(path, text)

    def add(self, path, text):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a", encoding="utf-8") as out:
            out.write(text)

    def findings(self):
        return tidy.Tidy(self.root).run()

    def test_finds_nothing_in_a_clean_tree(self):
        self.assertEqual(self.findings(), [])

    def test_finds_every_violation(self):
        for path, text, expected in VIOLATIONS:
            with self.subTest(path=path, text=text[:60]):
                before = (self.root / path).read_text() if (self.root / path).exists() else None
                self.add(path, text)
                found = self.findings()
                self.assertTrue(any(line.startswith(path + ":") and expected in line
                                    for line in found), found)
                (self.root / path).unlink()
                if before is not None:
                    self.add(path, before)
        self.assertEqual(self.findings(), [])

    def test_finds_nothing_in_what_is_harmless(self):
        for path, text in HARMLESS:
            self.add(path, text)
        self.assertEqual(self.findings(), [])

    def test_tells_the_line(self):
        self.add("framework/amqp/frame.cpp", "int a;\nint b;\nint r = rand();\n")
        self.assertTrue(self.findings()[0].startswith("framework/amqp/frame.cpp:3: "))

    def test_format_finds_what_is_not_formatted(self):
        if not shutil.which(tidy.FORMATTER):
            self.skipTest(f"{tidy.FORMATTER} is not installed")
        for folder in ("framework", "broker", "tests"):
            shutil.rmtree(self.root / folder)
        self.add(".clang-format", "BasedOnStyle: Google\n")
        self.add("broker/core/queue.cpp", "int narrow;\n")
        self.assertEqual(tidy.check_format(self.root), 0)

        self.add("broker/core/queue.cpp", "int   wide ;\n")
        with contextlib.redirect_stdout(io.StringIO()) as out:
            self.assertEqual(tidy.check_format(self.root), 1)
        self.assertIn("broker/core/queue.cpp: not formatted", out.getvalue())


if __name__ == "__main__":
    unittest.main()
