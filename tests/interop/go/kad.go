package main

import (
	"context"
	"fmt"
	"time"

	dht "github.com/libp2p/go-libp2p-kad-dht"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	routing "github.com/libp2p/go-libp2p/p2p/discovery/routing"
)

// newDHT joins the private DHT. mode is "client" or "server".
func newDHT(h host.Host, mode string) (*dht.IpfsDHT, error) {
	modes := map[string]dht.ModeOpt{"client": dht.ModeClient, "server": dht.ModeServer}
	m, known := modes[mode]
	if !known {
		return nil, fmt.Errorf("--kad %s: client or server", mode)
	}
	return dht.New(h, dht.Mode(m), dht.ProtocolPrefix("/peerup"),
		dht.DisableAutoRefresh())
}

func emitPeers(query string, infos []peer.AddrInfo) {
	list := []event{}
	for _, info := range infos {
		addrs := []string{}
		for _, a := range info.Addrs {
			addrs = append(addrs, a.String())
		}
		list = append(list, event{"peer": info.ID.String(), "addrs": addrs})
	}
	emit("dht", event{"query": query, "peers": list})
}

func bare(ids []peer.ID) []peer.AddrInfo {
	infos := []peer.AddrInfo{}
	for _, id := range ids {
		infos = append(infos, peer.AddrInfo{ID: id})
	}
	return infos
}

func findProviders(ctx context.Context, d *dht.IpfsDHT, name string) ([]peer.AddrInfo, error) {
	found, err := routing.NewRoutingDiscovery(d).FindPeers(ctx, name)
	if err != nil {
		return nil, err
	}
	infos := []peer.AddrInfo{}
	for info := range found {
		infos = append(infos, info)
	}
	return infos, nil
}

// ask runs the DHT commands.
func ask(d *dht.IpfsDHT, id peer.ID, c command) {
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	defer cancel()
	infos := []peer.AddrInfo{}
	var err error
	switch c.Do {
	case "provide":
		_, err = routing.NewRoutingDiscovery(d).Advertise(ctx, c.Ns)
	case "find":
		infos, err = findProviders(ctx, d, c.Ns)
	case "findpeer":
		var info peer.AddrInfo
		info, err = d.FindPeer(ctx, id)
		infos = append(infos, info)
	case "closest":
		var ids []peer.ID
		ids, err = d.GetClosestPeers(ctx, string(id))
		infos = bare(ids)
	case "table":
		infos = bare(d.RoutingTable().ListPeers())
	case "refresh":
		select {
		case err = <-d.ForceRefresh():
		case <-time.After(commandTimeout):
			err = fmt.Errorf("takes too long")
		}
	}
	if err != nil {
		fail(c.Do, id, err)
		return
	}
	emitPeers(c.Do, infos)
}
