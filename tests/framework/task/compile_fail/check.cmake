# Compiles SOURCE with COMPILER, syntax only. Its first line is `// expect: compiles` or
# `// expect: TEXT`: then the compiler must fail with exactly one error, and its text has TEXT.
file(STRINGS "${SOURCE}" lines LIMIT_COUNT 1)
list(GET lines 0 first)
if(NOT first MATCHES "^// expect: (.+)$")
  message(FATAL_ERROR "${SOURCE} does not say what it expects")
endif()
set(expected "${CMAKE_MATCH_1}")
set(ENV{LC_ALL} C)
execute_process(
  COMMAND "${COMPILER}" -std=c++20 -fsyntax-only -fno-diagnostics-color  -Wno-unused "-I${INCLUDE}" "${SOURCE}"
  RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
if(expected STREQUAL "compiles")
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "does not compile:\n${output}")
  endif()
  return()
endif()
if(status EQUAL 0)
  message(FATAL_ERROR "compiles, but should fail with: ${expected}")
endif()
string(REPLACE ";" "," output "${output}")  # CMake would take it for the end of a list item
string(REPLACE ";" "," expected "${expected}")
string(REGEX MATCHALL "[^\n]*error: [^\n]*" errors "${output}")
list(LENGTH errors count)
if(NOT count EQUAL 1)
  message(FATAL_ERROR "${count} errors instead of one:\n${output}")
endif()
# clang puts the reason for a failed constant expression into a note, so all lines are searched.
string(FIND "${output}" "${expected}" at)
if(at EQUAL -1)
  message(FATAL_ERROR "the error does not say \"${expected}\":\n${output}")
endif()
