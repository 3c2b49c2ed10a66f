# SPDX-License-Identifier: Apache-2.0
# The installed package: headers, library, CMake package files, weft.pc and the licence.
# Read by the top CMakeLists.txt when WEFT_INSTALL is ON; tests/consumers builds against its result.
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/weft)

install(TARGETS weft EXPORT weftTargets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
        RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/weft DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
        FILES_MATCHING PATTERN "*.h")
# Portable headers only: the device sources travel inside the library.
install(DIRECTORY ${PROJECT_SOURCE_DIR}/kernels
        DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/weft/portable
        FILES_MATCHING PATTERN "core/*.h" PATTERN "spec.h" PATTERN "params.h"
        PATTERN "ptx" EXCLUDE PATTERN "tile" EXCLUDE)
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE ${PROJECT_SOURCE_DIR}/NOTICE
        DESTINATION ${CMAKE_INSTALL_DATADIR}/licenses/weft)

install(EXPORT weftTargets NAMESPACE weft:: DESTINATION ${package_dir})
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/weftConfig.cmake.in
                              ${PROJECT_BINARY_DIR}/weftConfig.cmake
                              INSTALL_DESTINATION ${package_dir})
# Before 1.0 a minor version may break the C++ API.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/weftConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/weftConfig.cmake ${PROJECT_BINARY_DIR}/weftConfigVersion.cmake
        DESTINATION ${package_dir})

# A static weft needs the C++ runtime and threads at the final link; a shared one names them itself.
set(WEFT_PC_PRIVATE "-lstdc++ -lm -pthread -ldl")
if(WEFT_SHARED)
  set(WEFT_PC_LIBS "-lweft")
  set(WEFT_PC_CFLAGS " -DWEFT_SHARED")
else()
  set(WEFT_PC_LIBS "-lweft ${WEFT_PC_PRIVATE}")
  set(WEFT_PC_CFLAGS "")
endif()
# ${pcfiledir} keeps the package relocatable.
file(RELATIVE_PATH WEFT_PC_PREFIX ${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_LIBDIR}/pkgconfig
     ${CMAKE_INSTALL_PREFIX})
string(REGEX REPLACE "/$" "" WEFT_PC_PREFIX "${WEFT_PC_PREFIX}")
configure_file(${PROJECT_SOURCE_DIR}/cmake/weft.pc.in ${PROJECT_BINARY_DIR}/weft.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/weft.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

if(TARGET weft_cli)
  install(TARGETS weft_cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
