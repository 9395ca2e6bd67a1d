# Run by every build: writes what is compiled to OUT, and only when that changed, so that
# nothing is compiled again for it. The date is the commit's or SOURCE_DATE_EPOCH, never the
# clock's: the same source gives the same program.
set(commit unknown)
set(date unknown)
set(seconds "")

# A tarball inside somebody else's repository is not that repository.
if(EXISTS ${SOURCE}/.git)
	execute_process(COMMAND git -C ${SOURCE} rev-parse --short=12 HEAD
		OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET
		RESULT_VARIABLE failed)
	if(failed)
		set(commit unknown)
	else()
		execute_process(COMMAND git -C ${SOURCE} log -1 --format=%ct
			OUTPUT_VARIABLE seconds OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
		execute_process(COMMAND git -C ${SOURCE} diff-index --quiet HEAD --
			RESULT_VARIABLE dirty ERROR_QUIET)
		if(dirty)
			string(APPEND commit -dirty)
		endif()
	endif()
endif()
if(NOT "$ENV{SOURCE_DATE_EPOCH}" STREQUAL "")
	set(seconds $ENV{SOURCE_DATE_EPOCH})
endif()
if(seconds MATCHES "^[0-9]+$")
	set(ENV{SOURCE_DATE_EPOCH} ${seconds})
	string(TIMESTAMP date "%Y-%m-%dT%H:%M:%SZ" UTC)
endif()

set(text "/* Made by the build. */
#ifndef PU_DAEMON_BUILD_H
#define PU_DAEMON_BUILD_H

#define PU_BUILD_COMMIT \"${commit}\"
#define PU_BUILD_DATE \"${date}\"
#define PU_BUILD_LIBRARIES \"${LIBRARIES}\"

#endif
")
set(old "")
if(EXISTS ${OUT})
	file(READ ${OUT} old)
endif()
if(NOT old STREQUAL text)
	file(WRITE ${OUT} "${text}")
endif()
