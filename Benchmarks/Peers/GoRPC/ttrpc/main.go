// Echo over containerd's ttrpc: ttrpc serve PORT, or ttrpc load PORT INFLIGHT SECONDS BYTES. Every call has a deadline
// and one entry of metadata.
package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"sort"
	"strconv"
	"sync"
	"time"

	"github.com/containerd/ttrpc"
	"github.com/gogo/protobuf/types"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func number(index int) int {
	value, err := strconv.Atoi(os.Args[index])
	check(err)
	return value
}

func load(inFlight, seconds, size int) {
	socket, err := net.Dial("tcp", "127.0.0.1:"+os.Args[2])
	check(err)
	client := ttrpc.NewClient(socket)
	metadata := ttrpc.WithMetadata(context.Background(), ttrpc.MD{"trace": []string{"0123456789abcdef"}})
	start := time.Now().Add(time.Second)
	end := start.Add(time.Duration(seconds) * time.Second)
	samples := make([][]time.Duration, inFlight)
	var group sync.WaitGroup
	for caller := range samples {
		group.Add(1)
		go func(caller int) {
			defer group.Done()
			request := types.BytesValue{Value: bytes.Repeat([]byte("a"), size)}
			for before := time.Now(); before.Before(end); {
				var reply types.BytesValue
				call, cancel := context.WithTimeout(metadata, 10*time.Second)
				check(client.Call(call, "bench.Echo", "Echo", &request, &reply))
				cancel()
				if !bytes.Equal(reply.Value, request.Value) {
					check(fmt.Errorf("a reply differs from its request"))
				}
				after := time.Now()
				if !before.Before(start) {
					samples[caller] = append(samples[caller], after.Sub(before))
				}
				before = after
			}
		}(caller)
	}
	group.Wait()
	var all []time.Duration
	for _, taken := range samples {
		all = append(all, taken...)
	}
	sort.Slice(all, func(i, j int) bool { return all[i] < all[j] })
	at := func(share float64) float64 {
		return float64(all[int(float64(len(all)-1)*share)].Nanoseconds()) / 1000
	}
	fmt.Printf("calls/s=%d p50us=%.1f p99us=%.1f p999us=%.1f\n", len(all)/seconds, at(0.5), at(0.99), at(0.999))
}

func main() {
	if os.Args[1] == "load" {
		load(number(3), number(4), number(5))
		return
	}
	server, err := ttrpc.NewServer()
	check(err)
	echo := func(_ context.Context, decode func(interface{}) error) (interface{}, error) {
		var message types.BytesValue
		return &message, decode(&message)
	}
	server.Register("bench.Echo", map[string]ttrpc.Method{"Echo": echo})
	listener, err := net.Listen("tcp", "127.0.0.1:"+os.Args[2])
	check(err)
	check(server.Serve(context.Background(), listener))
}
