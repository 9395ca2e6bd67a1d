package main

import (
	"context"
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/client"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/relay"
)

// serveRelay makes the host a relay. limits is "TTL,DURATION,BYTES" in seconds and bytes;
// without duration and bytes circuits have no limit, and none is told.
func serveRelay(h host.Host, limits string) error {
	var ttl, duration, data int64
	if _, err := fmt.Sscanf(limits, "%d,%d,%d", &ttl, &duration, &data); err != nil {
		return fmt.Errorf("--relay %s: %w", limits, err)
	}
	rc := relay.DefaultResources()
	rc.ReservationTTL = time.Duration(ttl) * time.Second
	rc.Limit = nil
	if duration > 0 || data > 0 {
		rc.Limit = &relay.RelayLimit{Duration: time.Duration(duration) * time.Second, Data: data}
	}
	_, err := relay.New(h, relay.WithResources(rc))
	return err
}

// reserve asks once; renewing is AutoRelay's business, which is not under test.
func reserve(h host.Host, addr string) {
	info, err := peer.AddrInfoFromString(addr)
	if err != nil {
		fail("reserve", "", err)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	defer cancel()
	if err := h.Connect(ctx, *info); err != nil {
		fail("reserve", info.ID, err)
		return
	}
	r, err := client.Reserve(ctx, h, *info)
	if err != nil {
		fail("reserve", info.ID, err)
		return
	}
	addrs := []string{}
	for _, a := range r.Addrs {
		addrs = append(addrs, a.String())
	}
	emit("reserved", event{
		"relay": info.ID.String(), "expires": r.Expiration.Unix(), "voucher": r.Voucher != nil,
		"duration": int64(r.LimitDuration / time.Second), "data": r.LimitData, "addrs": addrs,
	})
}
