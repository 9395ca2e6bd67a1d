#include "cli/cli.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>

#include "cli/args.h"
#include "cli/out.h"

static const struct pu_cli_flag init_flags[] = {
	{ "dir", 0, "DIR", "put the files there instead of ~/.config/peerup" },
	{ "relay", 0, "ADDR", "a relay, multiaddr ending in /p2p/<peer id>; may be repeated" },
	{ "port", 0, "PORT", "listen on this UDP and TCP port; default 0: any free one" },
	{ "network", 0, "NAME", "private network name" },
	{ "non-interactive", 0, NULL, "ask nothing" },
	{ NULL },
};
static const struct pu_cli_flag up_flags[] = {
	{ "foreground", 0, NULL, "stay in the foreground, log to stderr" },
	{ "heal", 0, NULL, "start with the last good config when the present one is broken" },
	{ "log-level", 0, "LEVEL", "debug, info, warn, error or off" },
	{ "log-format", 0, "FORMAT", "text, json or journal" },
	{ NULL },
};
static const struct pu_cli_flag auth_add_flags[] = {
	{ "access", 0, "WHAT", "services (the default) or network: raw packets too" },
	{ "comment", 0, "TEXT", "who this is" },
	{ "expires", 0, "WHEN", "shut out then: 30d, 12h or 2027-01-01T00:00:00Z" },
	{ "file", 0, "PATH", "use this authorized_keys file" },
	{ NULL },
};
static const struct pu_cli_flag auth_set_flags[] = {
	{ "access", 0, "WHAT", "services or network: raw packets too" },
	{ "comment", 0, "TEXT", "who this is; \"\": nothing" },
	{ "expires", 0, "WHEN", "shut out then: 30d, 12h, never or 2027-01-01T00:00:00Z" },
	{ "file", 0, "PATH", "use this authorized_keys file" },
	{ NULL },
};
static const struct pu_cli_flag verify_flags[] = {
	{ "yes", 'y', NULL, "the codes were compared already: ask nothing" },
	{ "file", 0, "PATH", "use this authorized_keys file" },
	{ NULL },
};
static const struct pu_cli_flag wake_flags[] = {
	{ "via", 0, "PEER", "have this peer do it, in its network" },
	{ NULL },
};
static const struct pu_cli_flag help_flags[] = {
	{ "format", 0, "SHELL", "bash, zsh or fish: completions; man: commands for the manual" },
	{ NULL },
};
static const struct pu_cli_flag auth_flags[] = {
	{ "file", 0, "PATH", "use this authorized_keys file" },
	{ NULL },
};
static const struct pu_cli_flag service_add_flags[] = {
	{ "port", 0, "PORT", "port that peers see, when another than the local one" },
	{ "allow", 0, "PEER", "only this peer may use it; may be repeated" },
	{ "protocol", 0, "ID", "kept for the Go program, no effect" },
	{ NULL },
};
static const struct pu_cli_flag invite_flags[] = {
	{ "name", 0, "NAME", "what the other machine shall call this one" },
	{ "ttl", 0, "TIME", "how long the code is good; default 10m" },
	{ "access", 0, "WHAT", "for who joins: services (the default) or network" },
	{ "compat", 0, NULL, "a long code that peer-up understands, too" },
	{ "no-wait", 0, NULL, "leave it to the daemon to wait" },
	{ "no-up", 0, NULL, "do not bring the network up afterwards" },
	{ "non-interactive", 0, NULL, "only the code on standard output" },
	{ NULL },
};
static const struct pu_cli_flag join_flags[] = {
	{ "name", 0, "NAME", "what the other machine shall call this one" },
	{ "access", 0, "WHAT", "for the other machine: services (the default) or network" },
	{ "no-up", 0, NULL, "do not bring the network up afterwards" },
	{ "non-interactive", 0, NULL, "ask nothing; the code may come on standard input" },
	{ NULL },
};
static const struct pu_cli_flag ping_flags[] = {
	{ "count", 'c', "N", "stop after N pings; 0: never; default 4" },
	{ "n", 0, "N", "same as -c" },
	{ "interval", 'i', "TIME", "time between pings; default 1s" },
	{ NULL },
};

static const struct pu_cli_flag relay_setup_flags[] = {
	{ "dir", 0, "DIR", "put the files there instead of here" },
	{ "port", 0, "PORT", "listen on this TCP and UDP port; default 7777" },
	{ "network", 0, "NAME", "private network name" },
	{ "fresh", 0, NULL, "all anew; files that are there are kept in backups/" },
	{ "non-interactive", 0, NULL, "ask nothing; it never does" },
	{ NULL },
};
static const struct pu_cli_flag relay_serve_flags[] = {
	{ "heal", 0, NULL, "start with the last good config when the present one is broken" },
	{ "log-level", 0, "LEVEL", "debug, info, warn, error or off" },
	{ "log-format", 0, "FORMAT", "text, json or journal" },
	{ NULL },
};
static const struct pu_cli_flag relay_authorize_flags[] = {
	{ "comment", 0, "TEXT", "who this is" },
	{ NULL },
};
static const struct pu_cli_flag relay_pair_flags[] = {
	{ "count", 'c', "N", "make N codes, 1 to 100; default 1" },
	{ "ttl", 0, "TIME", "the codes are good for that long; default 1h" },
	{ "expires", 0, "TIME", "who uses one is a member for that long; default 0: for ever" },
	{ "namespace", 0, "NAME", "private network name in the codes; default: the relay's" },
	{ "list", 0, NULL, "show the groups of codes instead" },
	{ "revoke", 0, "ID", "make the codes of a group worthless instead" },
	{ NULL },
};
static const struct pu_cli_flag relay_add_flags[] = {
	{ "peer-id", 0, "ID", "of the relay, for an address without it" },
	{ NULL },
};
static const struct pu_cli_flag relay_remove_flags[] = {
	{ "force", 'f', NULL, "ask nothing; it never does" },
	{ NULL },
};
/* daemon …, proxy, events */
static const struct pu_cli_flag daemon_peers_flags[] = {
	{ "all", 0, NULL, "also those that do not say that they are of our kind" },
	{ NULL },
};
static const struct pu_cli_flag daemon_ping_flags[] = {
	{ "count", 'c', "N", "number of pings; default 4" },
	{ "interval", 'i', "MS", "milliseconds between pings; default 1000" },
	{ NULL },
};
static const struct pu_cli_flag daemon_connect_flags[] = {
	{ "peer", 0, "PEER", "name or peer ID" },
	{ "service", 0, "NAME", "service of that peer" },
	{ "listen", 0, "ADDR", "local address such as 127.0.0.1:2222; port 0: any free one" },
	{ NULL },
};
static const struct pu_cli_flag events_flags[] = {
	{ "kind", 0, "KIND", "only events of this kind; may be repeated" },
	{ NULL },
};

static const struct pu_cli_flag config_flags[] = {
	{ "archived", 0, "N", "show: the n-th copy, 0 the newest" },
	{ "to", 0, "N", "rollback: to the n-th copy; default 0, the newest" },
	{ "confirm-timeout", 0, "TIME", "apply: take it back after that time; default 5m" },
	{ NULL },
};

/* files */
static const struct pu_cli_flag send_flags[] = {
	{ "to", 0, "PEER", "name or peer ID of who shall have them" },
	{ NULL },
};
static const struct pu_cli_flag receive_flags[] = {
	{ "dir", 0, "DIR", "put them there instead of here" },
	{ "from", 0, "PEER", "only from this peer; may be repeated" },
	{ "once", 0, NULL, "end after one transfer" },
	{ "yes", 'y', NULL, "take everything: ask nothing" },
	{ "overwrite", 0, NULL, "replace files of the same name" },
	{ "max-size", 0, "SIZE", "take no transfer larger than that, such as 500MB" },
	{ NULL },
};

/* Two-word commands of one noun stand together. */
const struct pu_cli_command pu_cli_commands[] = {
	{ "init", NULL, "", 0, 0, init_flags, pu_cmd_init, "make a config and an identity" },
	{ "up", NULL, "", 0, 0, up_flags, pu_cmd_up, "join the network: device, routes, names" },
	{ "down", NULL, "", 0, 0, NULL, pu_cmd_down, "leave the network, stop the daemon" },
	{ "daemon", NULL, "", 0, 0, up_flags, pu_cmd_daemon,
	  "run in the foreground; device only if vpn.enabled" },
	{ "daemon", "start", "", 0, 0, up_flags, pu_cmd_daemon, "the same" },
	{ "daemon", "status", "", 0, 0, NULL, pu_cmd_daemon_show,
	  "what the daemon says of itself" },
	{ "daemon", "services", "", 0, 0, NULL, pu_cmd_daemon_show, "services that it offers" },
	{ "daemon", "peers", "", 0, 0, daemon_peers_flags, pu_cmd_daemon_show,
	  "peers that it knows" },
	{ "daemon", "paths", "", 0, 0, NULL, pu_cmd_daemon_show, "its paths to peers" },
	{ "daemon", "ping", "<peer>", 1, 1, daemon_ping_flags, pu_cmd_daemon_ping,
	  "lets it ping a peer, then shows all results" },
	{ "daemon", "connect", "", 0, 0, daemon_connect_flags, pu_cmd_daemon_connect,
	  "opens a local port to a peer's service" },
	{ "daemon", "connections", "", 0, 0, NULL, pu_cmd_daemon_connections,
	  "such ports and where they lead" },
	{ "daemon", "disconnect", "<id>", 1, 1, NULL, pu_cmd_daemon_disconnect,
	  "closes such a port" },
	{ "daemon", "stop", "", 0, 0, NULL, pu_cmd_daemon_stop, "asks it to stop" },
	{ "status", NULL, "", 0, 0, NULL, pu_cmd_status, "this node and its peers" },
	{ "whoami", NULL, "", 0, 0, NULL, pu_cmd_whoami, "this node's peer ID" },
	{ "invite", NULL, "", 0, 0, invite_flags, pu_cmd_invite,
	  "make a code with which another machine joins" },
	{ "invite", "list", "", 0, 0, NULL, pu_cmd_invite_list, "invitations of the daemon" },
	{ "invite", "cancel", "<id>", 1, 1, NULL, pu_cmd_invite_cancel, "take a code back" },
	{ "join", NULL, "[code]", 0, PU_CLI_ARGS_MAX, join_flags, pu_cmd_join,
	  "join with a code from another machine or a relay" },
	{ "auth", "add", "<peer id>", 1, 1, auth_add_flags, pu_cmd_auth_add, "let a peer in" },
	{ "auth", "list", "", 0, 0, auth_flags, pu_cmd_auth_list, "who may connect" },
	{ "auth", "set", "<peer>", 1, 1, auth_set_flags, pu_cmd_auth_set,
	  "change what a peer may do, or how long" },
	{ "auth", "remove", "<peer>", 1, 1, auth_flags, pu_cmd_auth_remove, "shut a peer out" },
	{ "auth", "validate", "[file]", 0, 1, auth_flags, pu_cmd_auth_validate,
	  "check the authorized_keys file" },
	{ "verify", NULL, "<peer>", 1, 1, verify_flags, pu_cmd_verify,
	  "compare codes with a peer: is nobody in between?" },
	{ "name", "add", "<name> <peer id>", 2, 2, NULL, pu_cmd_name_add, "name a peer" },
	{ "name", "list", "", 0, 0, NULL, pu_cmd_name_list, "names of peers" },
	{ "name", "remove", "<name>", 1, 1, NULL, pu_cmd_name_remove, "forget a name" },
	{ "service", "add", "<name> <host:port>", 2, 2, service_add_flags, pu_cmd_service_add,
	  "offer a local TCP service to peers" },
	{ "service", "list", "", 0, 0, NULL, pu_cmd_service_list, "services of this node" },
	{ "service", "remove", "<name>", 1, 1, NULL, pu_cmd_service_remove, "forget a service" },
	{ "service", "enable", "<name>", 1, 1, NULL, pu_cmd_service_enable, "offer it again" },
	{ "service", "disable", "<name>", 1, 1, NULL, pu_cmd_service_disable,
	  "stop offering it, keep its settings" },
	{ "peer", "add", "<multiaddr>", 1, 1, NULL, pu_cmd_peer_add,
	  "tell where a peer is: …/p2p/<peer id>" },
	{ "peer", "list", "", 0, 0, NULL, pu_cmd_peer_list, "peers with fixed addresses" },
	{ "peer", "remove", "<peer|multiaddr>", 1, 1, NULL, pu_cmd_peer_remove,
	  "forget a peer's addresses, or one of them" },
	{ "peer", "set-mac", "<peer> <mac>", 2, 2, NULL, pu_cmd_peer_set_mac,
	  "tell the hardware address of a peer, for waking it" },
	{ "peer", "services", "<peer>", 1, 1, NULL, pu_cmd_peer_services,
	  "services that a peer offers to us" },
	{ "config", "validate", "[file]", 0, 1, NULL, pu_cmd_config, "check a config" },
	{ "config", "show", "", 0, 0, config_flags, pu_cmd_config,
	  "the config, or one that was good before" },
	{ "config", "history", "", 0, 0, NULL, pu_cmd_config, "configs that were good before" },
	{ "config", "rollback", "", 0, 0, config_flags, pu_cmd_config,
	  "go back to a config that was good" },
	{ "config", "apply", "<file>", 1, 1, config_flags, pu_cmd_config,
	  "try a config: it is taken back unless confirmed in time" },
	{ "config", "confirm", "", 0, 0, NULL, pu_cmd_config, "keep the config on trial" },
	{ "relay", "add", "<address>...", 1, PU_CLI_ARGS_MAX, relay_add_flags, pu_cmd_relay_add,
	  "use a relay: multiaddr, IP or IP:PORT" },
	{ "relay", "list", "", 0, 0, NULL, pu_cmd_relay_list, "relays that this node uses" },
	{ "relay", "remove", "<multiaddr>", 1, 1, relay_remove_flags, pu_cmd_relay_remove,
	  "stop using a relay" },
	{ "relay", "setup", "", 0, 0, relay_setup_flags, pu_cmd_relay_setup,
	  "make the files of a relay" },
	{ "relay", "serve", "", 0, 0, relay_serve_flags, pu_cmd_relay_serve, "be a relay" },
	{ "relay", "info", "", 0, 0, NULL, pu_cmd_relay_info, "the relay of this machine" },
	{ "relay", "authorize", "<peer id> [comment]", 1, PU_CLI_ARGS_MAX, relay_authorize_flags,
	  pu_cmd_relay_authorize, "let a peer use this relay" },
	{ "relay", "deauthorize", "<peer id>", 1, 1, NULL, pu_cmd_relay_deauthorize,
	  "shut a peer out of this relay" },
	{ "relay", "list-peers", "", 0, 0, NULL, pu_cmd_relay_list_peers,
	  "who may use this relay" },
	{ "relay", "pair", "", 0, 0, relay_pair_flags, pu_cmd_relay_pair,
	  "codes by which others join this relay and meet each other" },
	{ "relay", "config",
	  "validate|show|history|rollback|apply|confirm|snapshots|restore [file]", 1, 2,
	  config_flags, pu_cmd_relay_config, "the relay's config, as `config` does the node's" },
	{ "relay", "version", "", 0, 0, NULL, pu_cmd_relay_version, "which version this is" },
	{ "ping", NULL, "<peer>", 1, 1, ping_flags, pu_cmd_ping, "is a peer there?" },
	{ "traceroute", NULL, "<peer>", 1, 1, NULL, pu_cmd_traceroute,
	  "the hops to a peer and how far they are" },
	{ "proxy", NULL, "<peer> <service> <local port>", 3, 3, NULL, pu_cmd_proxy,
	  "a local port to a peer's service, until ^C" },
	{ "send", NULL, "<file or folder>...", 1, PU_CLI_ARGS_MAX, send_flags, pu_cmd_send,
	  "give files to a peer that receives" },
	{ "receive", NULL, "", 0, 0, receive_flags, pu_cmd_receive,
	  "take files from peers, until ^C" },
	{ "vpn", NULL, "", 0, 0, NULL, pu_cmd_vpn, "the device, its addresses and names" },
	{ "events", NULL, "", 0, 0, events_flags, pu_cmd_events, "what happens, as it happens" },
	{ "paths", NULL, "", 0, 0, NULL, pu_cmd_paths, "the path in use to every peer" },
	{ "discover", NULL, "<peer>", 1, 1, NULL, pu_cmd_discover,
	  "what a peer is, offers and grants us" },
	{ "wake", NULL, "<peer>", 1, 1, wake_flags, pu_cmd_wake, "wake a sleeping machine" },
	{ "why", NULL, "<peer>", 1, 1, NULL, pu_cmd_why,
	  "why a peer is reached as it is: what was tried and what came of it" },
	{ "resolve", NULL, "<name>", 1, 1, NULL, pu_cmd_resolve, "the peer ID behind a name" },
	{ "version", NULL, "", 0, 0, NULL, pu_cmd_version, "which version this is" },
	{ "help", NULL, "[command]", 0, 2, help_flags, pu_cmd_help, "this text" },
	{ NULL },
};

const char *pu_cli_flag(const struct pu_cli *c, const char *name, int n)
{
	for (int i = 0; i < c->n_values; i++)
		if (strcmp(c->value[i].flag->name, name) == 0 && n-- == 0)
			return c->value[i].text;
	return NULL;
}

bool pu_cli_has(const struct pu_cli *c, const char *name)
{
	return pu_cli_flag(c, name, 0) != NULL;
}

static void set_why(struct pu_cli *c, const char *what, const char *hint, const char *why_fmt,
		    va_list ap)
{
	char why[sizeof c->why.why];

	vsnprintf(why, sizeof why, why_fmt, ap);
	pu_failure_set(&c->why, 0, what, hint, "%s", why);
}

int pu_cli_fail(struct pu_cli *c, const char *what, const char *hint, const char *why_fmt, ...)
{
	va_list ap;

	va_start(ap, why_fmt);
	set_why(c, what, hint, why_fmt, ap);
	va_end(ap);
	return PU_CLI_FAILED;
}

int pu_cli_misuse(struct pu_cli *c, const char *what, const char *why_fmt, ...)
{
	const struct pu_cli_command *k = c->command;
	char hint[128];
	va_list ap;

	snprintf(hint, sizeof hint, "peerup-vpn help%s%s%s%s", k ? " " : "", k ? k->noun : "",
		 k && k->verb ? " " : "", k && k->verb ? k->verb : "");
	va_start(ap, why_fmt);
	set_why(c, what, hint, why_fmt, ap);
	va_end(ap);
	return PU_CLI_USAGE;
}

static int run(struct pu_cli *c, int argc, char **argv)
{
	bool help;
	int r = pu_args_parse(c, argc, argv, &help);

	if (help) {
		pu_out_usage(stdout, c->command);
		return PU_CLI_OK;
	}
	return r ? r : c->command->run(c);
}

int pu_cli_main(int argc, char **argv)
{
	static char *version[] = { "peerup-vpn", "version", NULL };
	struct pu_cli c = { .color = pu_out_wants_color() };
	int r;

	signal(SIGPIPE, SIG_IGN); /* a vanished reader shows as a failed write */
	if (argc < 2) {
		pu_out_usage(stderr, NULL);
		return PU_CLI_USAGE;
	}
	if (argc == 2 && strcmp(argv[1], "--version") == 0)
		argv = version;
	r = run(&c, argc, argv);
	if (pu_failure_is_set(&c.why))
		pu_out_failure(&c.why);
	return r;
}
