# SPDX-License-Identifier: Apache-2.0
# Script (cmake -D ROOT=... -D OUTPUT=... -P): writes every file under kernels/ into one .cc as raw
# string literals, with one SHA-256 over all paths and texts. NVRTC reads them from memory, so a
# program that links weft carries its kernel sources. cmake/library.cmake runs it.
file(GLOB_RECURSE files RELATIVE ${ROOT} ${ROOT}/kernels/*.h ${ROOT}/kernels/*.cuh)
list(SORT files)
set(hashes "")
set(table "")
foreach(path IN LISTS files)
  file(READ ${ROOT}/${path} text)
  if(text MATCHES "\\)weft_file\"")
    message(FATAL_ERROR "${path}: contains the delimiter of its own literal")
  endif()
  file(SHA256 ${ROOT}/${path} hash)
  string(APPEND hashes "${path} ${hash}\n")
  string(APPEND table "    {\"${path}\", R\"weft_file(${text})weft_file\"sv},\n")
endforeach()
string(SHA256 tree "${hashes}")
set(content "// Generated from kernels/ by cmake/embed_kernels.cmake.
#include \"src/jit/embedded.h\"

namespace weft {
namespace {

// sv: a literal knows its length, which clang else counts, and gives up at some 500 KB.
using namespace std::string_view_literals;  // NOLINT(google-build-using-namespace)

constexpr EmbeddedFile kFiles[] = {
${table}};

}  // namespace

std::span<const EmbeddedFile> embedded_files() { return kFiles; }
const char* kernel_tree_hash() { return \"${tree}\"; }

}  // namespace weft
")
file(WRITE ${OUTPUT} "${content}")
