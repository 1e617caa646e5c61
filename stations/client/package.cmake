# Installs the station library as the CMake package "linesign". Included when all its parts are
# declared; see CMakeLists.txt.
#
# The headers keep their place in the tree below include/linesign, so that the public header is the
# same file inside and outside: it includes "protocol/base/result.h", and a user writes
# #include <linesign/stations/client/station_client.h>.
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/linesign)
set(parts linesign_station_client linesign_base linesign_messages linesign_settings
          linesign_transport linesign_wire)

foreach(part ${parts})
  string(REPLACE linesign_ "" short_name ${part})
  set_target_properties(${part} PROPERTIES EXPORT_NAME ${short_name})
endforeach()
target_include_directories(
  linesign_base INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>
                          $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/linesign>)
target_compile_features(linesign_base INTERFACE cxx_std_20)

install(
  TARGETS ${parts}
  EXPORT linesign-targets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT client)
install(
  EXPORT linesign-targets
  NAMESPACE linesign::
  DESTINATION ${package_dir}
  COMPONENT client)

foreach(header base/bytes.h base/clock.h base/error.h base/error_list.h base/ids.h base/result.h
               base/secret.h)
  install(
    FILES ${PROJECT_SOURCE_DIR}/protocol/${header}
    DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/linesign/protocol/base
    COMPONENT client)
endforeach()
install(
  FILES ${PROJECT_SOURCE_DIR}/stations/client/station_client.h
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/linesign/stations/client
  COMPONENT client)

configure_package_config_file(
  ${PROJECT_SOURCE_DIR}/stations/client/linesign-config.cmake.in
  ${PROJECT_BINARY_DIR}/package/linesign-config.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/package/linesign-config-version.cmake
                                 COMPATIBILITY SameMinorVersion)
install(
  FILES ${PROJECT_BINARY_DIR}/package/linesign-config.cmake
        ${PROJECT_BINARY_DIR}/package/linesign-config-version.cmake
  DESTINATION ${package_dir}
  COMPONENT client)
