/* A config file: whatever it says, loading ends with a struct or with a remark. */
#include <stdlib.h>

#include "daemon/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pu_config_diags *diags = calloc(1, sizeof *diags);
	struct pu_config *cfg;
	int r;

	if (!diags)
		return 0;
	r = pu_config_parse("/x/config.yaml", pu_bytes(data, size), &cfg, diags);
	if (r < 0 && diags->n_errors == 0)
		abort();
	if (r == 0)
		pu_config_free(cfg);
	free(diags);
	return 0;
}
