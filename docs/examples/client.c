/* Who is there? Build: cc client.c $(pkg-config --cflags --libs peerup) */
#include <peerup/client.h>
#include <stdio.h>

int main(void)
{
	struct peerup_client *c;
	const char *json;
	int r = peerup_client_open(NULL, &c);

	if (r < 0 || (r = peerup_client_peers(c, &json)) < 0)
		return fprintf(stderr, "%s\n", peerup_strerror(r)), 1;
	printf("%s\n", json);
	peerup_client_close(c);
}
