# SPDX-License-Identifier: Apache-2.0
# cmake -P script of one consumer test: installs weft, or builds and runs one way of using it.
# Given: WAY, WORK (scratch), WEFT_BUILD (what to install), WEFT_SOURCE, CC, CXX.
function(must)
  execute_process(COMMAND ${ARGN} COMMAND_ECHO STDOUT COMMAND_ERROR_IS_FATAL ANY)
endfunction()

set(prefix ${WORK}/prefix)
set(build ${WORK}/${WAY})
set(project ${WAY})
set(fetch OFF)
if(WAY MATCHES "add_subdirectory|fetch_content")
  set(project sources)
  set(build ${WORK}/sources)
  string(COMPARE EQUAL ${WAY} fetch_content fetch)
endif()
if(WAY STREQUAL "install")
  file(REMOVE_RECURSE ${prefix})
  must(${CMAKE_COMMAND} --install ${WEFT_BUILD} --prefix ${prefix})
elseif(WAY STREQUAL "pkg_config")
  file(GLOB pc ${prefix}/lib*/pkgconfig ${prefix}/lib/*/pkgconfig)
  set(ENV{PKG_CONFIG_PATH} "${pc}")
  execute_process(COMMAND pkg-config --cflags --libs weft OUTPUT_VARIABLE flags
                  OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  separate_arguments(flags UNIX_COMMAND "${flags}")
  file(MAKE_DIRECTORY ${build})
  must(${CC} -std=c11 -Wall -Wextra -Wpedantic -Werror
       ${CMAKE_CURRENT_LIST_DIR}/pkg_config/main.c ${flags} -o ${build}/consumer)
  must(${build}/consumer)
else()
  # -O0: what is asked is whether it builds, links and gives the right answer. A static library is
  # installed; those that build weft's sources take it as a shared one.
  must(${CMAKE_COMMAND} -S ${CMAKE_CURRENT_LIST_DIR}/${project} -B ${build} -G Ninja
       -D CMAKE_BUILD_TYPE=Debug -D CMAKE_CXX_COMPILER=${CXX} -D CMAKE_C_COMPILER=${CC}
       -D CMAKE_PREFIX_PATH=${prefix} -D WEFT_SOURCE_DIR=${WEFT_SOURCE}
       -D WEFT_SHARED=ON -D FETCH=${fetch})
  must(${CMAKE_COMMAND} --build ${build} --parallel 2 --target consumer)
  must(${build}/consumer)
endif()
