# install() and the exported package: find_package(lovage CONFIG) gives lovage::lovage, lovage::broker.
include(CMakePackageConfigHelpers)

get_property(lovage_targets GLOBAL PROPERTY LOVAGE_INSTALL_TARGETS)
install(TARGETS lovage_options ${lovage_targets} EXPORT lovageTargets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
set_target_properties(lovage_options PROPERTIES EXPORT_NAME options)
install(TARGETS lovage-broker lovage_cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(DIRECTORY framework/include/ broker/include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT lovageTargets NAMESPACE lovage:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/lovage)
configure_package_config_file(cmake/lovageConfig.cmake.in
  "${CMAKE_CURRENT_BINARY_DIR}/lovageConfig.cmake"
  INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/lovage)
write_basic_package_version_file("${CMAKE_CURRENT_BINARY_DIR}/lovageConfigVersion.cmake"
  COMPATIBILITY SameMinorVersion)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/lovageConfig.cmake"
  "${CMAKE_CURRENT_BINARY_DIR}/lovageConfigVersion.cmake"
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/lovage)
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
