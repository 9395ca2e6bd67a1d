#include "cli/cli.h"

int main(int argc, char **argv)
{
	return pu_cli_main(argc, argv);
}
