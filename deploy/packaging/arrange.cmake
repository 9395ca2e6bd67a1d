# Run by cpack between installing and packing, with one folder per component.
# What the packages are dated: SOURCE_DATE_EPOCH, else the commit, never the clock.
if("$ENV{SOURCE_DATE_EPOCH}" STREQUAL "")
	execute_process(COMMAND git -C ${CPACK_PU_SOURCE} log -1 --format=%ct
		OUTPUT_VARIABLE seconds OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
	if(NOT seconds MATCHES "^[0-9]+$")
		file(TIMESTAMP ${CPACK_PU_SOURCE}/CMakeLists.txt seconds %s)
	endif()
	set(ENV{SOURCE_DATE_EPOCH} ${seconds})
endif()
set(ENV{SOURCE} ${CPACK_PU_SOURCE})
set(ENV{MULTIARCH} ${CPACK_PU_MULTIARCH})
set(ENV{VERSION} ${CPACK_PACKAGE_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE})
set(ENV{MAINTAINER} "${CPACK_DEBIAN_PACKAGE_MAINTAINER}")
set(ENV{LIBRARY} ${CPACK_DEBIAN_LIBRARY_PACKAGE_NAME})
execute_process(
	COMMAND sh ${CPACK_PU_SOURCE}/deploy/packaging/arrange.sh
	WORKING_DIRECTORY ${CPACK_TEMPORARY_INSTALL_DIRECTORY}
	COMMAND_ERROR_IS_FATAL ANY)
