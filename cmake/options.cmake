# SPDX-License-Identifier: Apache-2.0
# Every option of the build, read once by the top CMakeLists.txt. A project that adds weft as a
# subdirectory gets the library alone: the rest defaults to ON only at top level.
option(WEFT_SHARED "Build libweft as a shared library" ${BUILD_SHARED_LIBS})
option(WEFT_BUILD_TESTS "Build the tests (needs GoogleTest)" ${PROJECT_IS_TOP_LEVEL})
option(WEFT_BUILD_TOOLS "Build the weft command line" ${PROJECT_IS_TOP_LEVEL})
option(WEFT_BUILD_EXAMPLES "Build the examples" ${PROJECT_IS_TOP_LEVEL})
option(WEFT_BUILD_BENCH "Build the stand-alone benchmarks" OFF)
option(WEFT_BUILD_FUZZ "Build the libFuzzer targets (needs clang)" OFF)
option(WEFT_BUILD_PYTHON "Build the shared library of the Python package" ${PROJECT_IS_TOP_LEVEL})
set(WEFT_PYTHON_LIBRARY "" CACHE FILEPATH "Python package: a library built before, not to be built")
option(WEFT_INSTALL "Generate the install rules" ${PROJECT_IS_TOP_LEVEL})
option(WEFT_STRICT "Our own warning set, as errors (what the presets turn on)" OFF)
set(WEFT_SANITIZE "" CACHE STRING "Sanitizers of every target: address, undefined or thread")

if(WEFT_SHARED)
  set(WEFT_LIBRARY_KIND SHARED)
else()
  set(WEFT_LIBRARY_KIND STATIC)
endif()
if(WEFT_BUILD_FUZZ AND NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  message(FATAL_ERROR "WEFT_BUILD_FUZZ: expected clang (libFuzzer), got ${CMAKE_CXX_COMPILER_ID}")
endif()
if(PROJECT_IS_TOP_LEVEL AND NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)  # clang-tidy reads build/<preset>/compile_commands.json
