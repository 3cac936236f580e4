#include "framework/task/python_repr.hpp"

#include "framework/task/utf8.hpp"

#include <gtest/gtest.h>

using lovage::args_repr;
using lovage::kwargs_repr;
using lovage::repr_bytes_max;

TEST(PythonRepr, ArgumentsAreATuple) {
    EXPECT_EQ(args_repr("[]"), "()");
    EXPECT_EQ(args_repr("[2,3]"), "(2, 3)");
    EXPECT_EQ(args_repr("[1]"), "(1,)");
    EXPECT_EQ(args_repr("[[1,2]]"), "([1, 2],)");
    EXPECT_EQ(args_repr(R"(["a,b"])"), "('a,b',)");
}

TEST(PythonRepr, LiteralsAndStringsAreSpelledAsInPython) {
    EXPECT_EQ(
        args_repr(R"([{"a":true,"b":[null,false]},"it's \"so\"\n"])"),
        R"(({'a': True, 'b': [None, False]}, 'it\'s "so"\n'))");
    EXPECT_EQ(kwargs_repr(R"({"tag":"x","n":1.5})"), "{'tag': 'x', 'n': 1.5}");
    EXPECT_EQ(kwargs_repr("{}"), "{}");
}

TEST(PythonRepr, LongArgumentsAreCutBetweenCharacters) {
    std::string text = "[\"";
    for (int i = 0; i < 1000; ++i) {
        text += "\u2603";
    }
    const std::string repr = args_repr(text + "\",1]");
    EXPECT_LE(repr.size(), repr_bytes_max);
    EXPECT_EQ(repr.substr(repr.size() - 4), "...)");
    EXPECT_TRUE(lovage::is_utf8(repr));
}

TEST(PythonRepr, TextAtTheLimitIsWhole) {
    const std::string inside(repr_bytes_max - 3, '1');
    EXPECT_EQ(args_repr("[" + inside + "]"), "(" + inside + ",)");
}
