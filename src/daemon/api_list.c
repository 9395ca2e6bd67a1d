#include <microhttpd.h>
#include <stdlib.h>

#include "daemon/api_internal.h"

bool pu_api_list_begin(struct pu_api_call *c, struct pu_api_list *l)
{
	*l = (struct pu_api_list){ .array = NULL };
	if (c->text)
		l->text = open_memstream(&l->p, &l->len);
	else
		l->array = json_array();
	if (l->text || l->array)
		return true;
	pu_api_reply_text(c->rq, NULL, 0);
	return false;
}

void pu_api_list_reply(struct pu_api_call *c, struct pu_api_list *l)
{
	if (!l->text) {
		pu_api_reply(c->rq, MHD_HTTP_OK, l->array);
		return;
	}
	fclose(l->text);
	pu_api_reply_text(c->rq, l->p, l->len);
}

void pu_api_list_drop(struct pu_api_list *l)
{
	if (l->text)
		fclose(l->text);
	free(l->p);
	json_decref(l->array);
}
