# SPDX-License-Identifier: Apache-2.0
# How a weft target is compiled: the common settings (weft_target_options), the flags a per-ISA unit
# gets from its file name, and the library itself. Knows nothing of tests, tools or installing.
include(GNUInstallDirs)
find_package(Threads REQUIRED)

# Language level, warnings and sanitizers, the same for the library and everything beside it.
function(weft_target_options target)
  target_compile_features(${target} PRIVATE cxx_std_20)
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF C_STANDARD 11 C_EXTENSIONS OFF
    CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON POSITION_INDEPENDENT_CODE ON)
  if(WEFT_STRICT)
    # Designated initialisers leave defaulted members out on purpose, hence the one exception.
    target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Werror
                           -Wno-missing-field-initializers)
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
      # gcc 12 sees an overlap inside std::string's operator+ (gcc bug 105651, fixed in 13).
      target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-Wno-restrict>)
    endif()
  endif()
  if(WEFT_BUILD_FUZZ)
    target_compile_options(${target} PRIVATE -fsanitize=fuzzer-no-link)
  endif()
  if(WEFT_SANITIZE)
    set(flags -fsanitize=${WEFT_SANITIZE} -fno-omit-frame-pointer)
    if(WEFT_SANITIZE MATCHES undefined)
      list(APPEND flags -fno-sanitize-recover=all)
    endif()
    target_compile_options(${target} PRIVATE ${flags})
    target_link_options(${target} PUBLIC -fsanitize=${WEFT_SANITIZE})
  endif()
endfunction()

# x_avx2.cc, x_avx512.cc, x_avx512bf16.cc, x_amx.cc: one unit per ISA, compiled for it alone and
# entered only after cpuid said yes. Everything else stays at the baseline of the architecture.
set(WEFT_FLAGS_avx2 -mavx2 -mfma -mf16c)
set(WEFT_FLAGS_avx512 ${WEFT_FLAGS_avx2} -mavx512f -mavx512bw -mavx512dq -mavx512vl)
set(WEFT_FLAGS_avx512bf16 ${WEFT_FLAGS_avx512} -mavx512bf16)
set(WEFT_FLAGS_amx ${WEFT_FLAGS_avx512bf16} -mamx-tile -mamx-bf16)

function(weft_isa_sources sources_variable)
  set(kept)
  foreach(source IN LISTS ${sources_variable})
    if(source MATCHES "_(avx2|avx512|avx512bf16|amx)\\.cc$")
      set(isa ${CMAKE_MATCH_1})  # the next MATCHES overwrites it
      if(NOT CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
        continue()
      endif()
      set_source_files_properties(${source} PROPERTIES
                                  COMPILE_OPTIONS "${WEFT_FLAGS_${isa}}")
    endif()
    list(APPEND kept ${source})
  endforeach()
  set(${sources_variable} ${kept} PARENT_SCOPE)
endfunction()

# The kernels/ tree as one generated unit, remade when a file of it changes.
file(GLOB_RECURSE kernel_files CONFIGURE_DEPENDS
     ${PROJECT_SOURCE_DIR}/kernels/*.h ${PROJECT_SOURCE_DIR}/kernels/*.cuh)
set(embedded_kernels ${PROJECT_BINARY_DIR}/generated/embedded_kernels.cc)
string(SHA256 kernel_list "${kernel_files}")  # in the command, so that a removed file remakes it
add_custom_command(
  OUTPUT ${embedded_kernels}
  COMMAND ${CMAKE_COMMAND} -D ROOT=${PROJECT_SOURCE_DIR} -D OUTPUT=${embedded_kernels}
          -D LIST=${kernel_list}
          -P ${PROJECT_SOURCE_DIR}/cmake/embed_kernels.cmake
  DEPENDS ${kernel_files} ${PROJECT_SOURCE_DIR}/cmake/embed_kernels.cmake
  COMMENT "Embedding kernels/" VERBATIM)
add_custom_target(weft_embedded_kernels DEPENDS ${embedded_kernels})

function(weft_add_library name kind)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/*.cc)
  weft_isa_sources(sources)
  add_library(${name} ${kind} ${sources} ${embedded_kernels})
  add_dependencies(${name} weft_embedded_kernels)  # one writer when two kinds are built
  weft_target_options(${name})
  target_compile_features(${name} PUBLIC cxx_std_20)
  # Of a project that adds this one and names no build type: kernels without optimisation are of no
  # use to anyone.
  target_compile_options(${name} PRIVATE $<$<STREQUAL:$<CONFIG>,>:-O3>)
  # A public header may include the portable headers of kernels/, found from the root of the source
  # tree and, once installed, from include/weft/portable: include/weft itself has names, cuda.h and
  # error.h among them, that others have too.
  target_include_directories(${name} PUBLIC
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/weft/portable>)
  target_link_libraries(${name} PRIVATE Threads::Threads ${CMAKE_DL_LIBS})
  if(WEFT_BUILD_PYTHON AND NOT kind STREQUAL SHARED)
    # The Python package links a shared library from these objects: what it exports is marked.
    target_compile_definitions(${name} PRIVATE WEFT_SHARED)
  endif()
  if(kind STREQUAL SHARED)
    target_compile_definitions(${name} PUBLIC WEFT_SHARED)
    set_target_properties(${name} PROPERTIES VERSION ${PROJECT_VERSION}
                          SOVERSION ${PROJECT_VERSION_MAJOR})
  endif()
endfunction()

# A helper library of the files matching the globs, without any main.cc; a room of headers alone
# becomes an INTERFACE target.
function(weft_add_helper name)
  file(GLOB sources CONFIGURE_DEPENDS ${ARGN})
  list(FILTER sources EXCLUDE REGEX "/main\\.cc$")
  if(sources)
    add_library(${name} STATIC ${sources})
    weft_target_options(${name})
    target_link_libraries(${name} PUBLIC weft_internal)
  else()
    add_library(${name} INTERFACE)
    target_link_libraries(${name} INTERFACE weft_internal)
  endif()
endfunction()
