package main

import (
	"context"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/p2p/protocol/autonatv2"
	ma "github.com/multiformats/go-multiaddr"
)

// newAutonat makes a client and a server of h; the server dials from a host of its own.
func newAutonat(h, dialer host.Host) (*autonatv2.AutoNAT, error) {
	an, err := autonatv2.New(dialer)
	if err != nil {
		return nil, err
	}
	return an, an.Start(h)
}

// askReachable asks some server about each address, one at a time.
func askReachable(an *autonatv2.AutoNAT, addrs []string) {
	text := map[network.Reachability]string{
		network.ReachabilityPublic:  "yes",
		network.ReachabilityPrivate: "no",
	}
	for _, addr := range addrs {
		ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
		rq := autonatv2.Request{Addr: ma.StringCast(addr), SendDialData: true}
		rs, err := an.GetReachability(ctx, []autonatv2.Request{rq})
		// Servers are noticed a moment after they were identified.
		for i := 0; err == autonatv2.ErrNoPeers && i < 20; i++ {
			time.Sleep(100 * time.Millisecond)
			rs, err = an.GetReachability(ctx, []autonatv2.Request{rq})
		}
		cancel()
		if err != nil {
			fail("autonat", "", err)
			continue
		}
		emit("autonat", event{"addr": rs.Addr.String(), "reachable": text[rs.Reachability]})
	}
}
