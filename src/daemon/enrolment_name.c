#include "daemon/enrolment_name.h"

#include <stdio.h>

#include "base/rfc3339.h"
#include "crypto/peerid.h"

enum { DATE_LEN = 10 };

bool pu_enrolment_clean_name(const char *from, char out[PU_ENROLMENT_NAME_MAX + 1])
{
	struct pu_peerid id;
	size_t n = 0;

	for (; *from && n < PU_ENROLMENT_NAME_CUT; from++) {
		bool inner = *from == '.' || *from == '-';

		if ((*from >= 'a' && *from <= 'z') || (*from >= 'A' && *from <= 'Z') ||
		    (*from >= '0' && *from <= '9') || *from == '_' || (inner && n > 0))
			out[n++] = *from;
	}
	while (n > 0 && (out[n - 1] == '.' || out[n - 1] == '-'))
		n--;
	out[n] = '\0';
	if (pu_peerid_from_text(&id, out) == 0)
		out[0] = '\0';
	return out[0] != '\0';
}

void pu_enrolment_comment(const char *name, const char *how, int64_t now,
			  char out[PU_ENROLMENT_NAME_MAX + 1])
{
	char when[PU_RFC3339_MAX];

	if (*name)
		snprintf(out, PU_ENROLMENT_NAME_MAX + 1, "%s", name);
	else
		snprintf(out, PU_ENROLMENT_NAME_MAX + 1, "%s%.*s", how, DATE_LEN,
			 pu_rfc3339_text(now, when));
}
