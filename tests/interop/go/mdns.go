package main

import (
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/discovery/mdns"
)

type finder struct{}

func (finder) HandlePeerFound(info peer.AddrInfo) {
	addrs := []string{}
	for _, a := range info.Addrs {
		addrs = append(addrs, a.String())
	}
	emit("found", event{"peer": info.ID.String(), "addrs": addrs})
}

func startMDNS(h host.Host) (mdns.Service, error) {
	s := mdns.NewMdnsService(h, "", finder{})
	return s, s.Start()
}
