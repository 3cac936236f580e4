# How every target of the project is made: options, libraries (one a folder), tests (one a folder).

add_library(lovage_options INTERFACE)
add_library(lovage::options ALIAS lovage_options)
target_compile_features(lovage_options INTERFACE cxx_std_20)

# Warnings, sanitizers and the source root belong to this build only, never to who links lovage.
add_library(lovage_build INTERFACE)
target_link_libraries(lovage_build INTERFACE lovage_options)
target_include_directories(lovage_build INTERFACE "${PROJECT_SOURCE_DIR}")
target_compile_options(lovage_build INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Wsign-conversion -Wnon-virtual-dtor -Woverloaded-virtual
  -Wold-style-cast -Wcast-qual -Wdouble-promotion -Wformat=2 -Wimplicit-fallthrough -Wundef
  # g++ 12 at -O2 sees uninitialised strings in tuples of structs that hold them; there are none.
  $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>
  $<$<BOOL:${LOVAGE_WERROR}>:-Werror>)
if(LOVAGE_SANITIZE)
  add_compile_options(-fsanitize=${LOVAGE_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 19)
    add_compile_options(-fno-sanitize=function)
  elseif(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # The second: g++ 12 takes the frame allocation of Asio's coroutines for a mismatch.
    add_compile_options(-Wno-tsan -Wno-mismatched-new-delete)
  endif()
  add_link_options(-fsanitize=${LOVAGE_SANITIZE})
endif()

if(LOVAGE_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)  # so that every library tells the fuzzer its way
endif()

# lovage_library(name EXPORT export_name [INCLUDE dir] SOURCES ... [LINK ...] [PRIVATE ...])
# A static library lovage_<name>, alias and exported name lovage::<export_name>. INCLUDE names a
# folder of public headers. PRIVATE libraries are those that no header of the folder shows.
function(lovage_library name)
  cmake_parse_arguments(ARG "" "EXPORT;INCLUDE" "SOURCES;LINK;PRIVATE" ${ARGN})
  add_library(lovage_${name} STATIC ${ARG_SOURCES})
  add_library(lovage::${ARG_EXPORT} ALIAS lovage_${name})
  target_link_libraries(lovage_${name} PUBLIC lovage_options ${ARG_LINK}
    PRIVATE $<BUILD_INTERFACE:lovage_build> ${ARG_PRIVATE})
  if(ARG_INCLUDE)
    target_include_directories(lovage_${name} PUBLIC
      $<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}/${ARG_INCLUDE}>
      $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  endif()
  set_target_properties(lovage_${name} PROPERTIES EXPORT_NAME ${ARG_EXPORT}
    POSITION_INDEPENDENT_CODE ON)
  set_property(GLOBAL APPEND PROPERTY LOVAGE_INSTALL_TARGETS lovage_${name})
endfunction()

# lovage_program(name SOURCES ... LINK ...): an executable in bin/.
function(lovage_program name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE lovage_build ${ARG_LINK})
endfunction()

# lovage_test(name LABEL unit|integration|interop SOURCES ... LINK ...)
# One GoogleTest binary for a folder, one ctest entry. Unit tests are pure: no sockets, no sleeps.
function(lovage_test name)
  cmake_parse_arguments(ARG "" "LABEL;TIMEOUT" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE lovage_build ${ARG_LINK} GTest::gmock GTest::gtest_main)
  add_test(NAME ${name} COMMAND ${name})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABEL}" TIMEOUT ${ARG_TIMEOUT})
endfunction()
