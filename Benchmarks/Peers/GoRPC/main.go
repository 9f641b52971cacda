// Echo over one of Go's RPCs: gorpc netrpc|ttrpc serve PORT, or gorpc netrpc|ttrpc load PORT INFLIGHT SECONDS BYTES.
package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"sort"
	"strconv"
	"sync"
	"time"
)

// A peer serves what comes to a listener, and makes of a connection what calls over it: it takes the bytes of a request
// and gives those of the reply.
type peer struct {
	serve func(net.Listener) error
	dial  func(net.Conn) func([]byte) ([]byte, error)
}

var peers = map[string]peer{
	"netrpc": {serveNetRPC, dialNetRPC},
	"ttrpc":  {serveTTRPC, dialTTRPC},
}

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

// Calls one after another until the end; gives how long those took that began after the start.
func drive(call func([]byte) ([]byte, error), size int, start, end time.Time) (samples []time.Duration) {
	request := bytes.Repeat([]byte("a"), size)
	for before := time.Now(); before.Before(end); {
		reply, err := call(request)
		check(err)
		if !bytes.Equal(reply, request) {
			check(fmt.Errorf("a reply differs from its request"))
		}
		after := time.Now()
		if !before.Before(start) {
			samples = append(samples, after.Sub(before))
		}
		before = after
	}
	return samples
}

func load(peer peer, inFlight, seconds, size int) {
	socket, err := net.Dial("tcp", "127.0.0.1:"+os.Args[3])
	check(err)
	call := peer.dial(socket)
	start := time.Now().Add(time.Second)
	end := start.Add(time.Duration(seconds) * time.Second)
	samples := make([][]time.Duration, inFlight)
	var group sync.WaitGroup
	for caller := range samples {
		group.Add(1)
		go func(caller int) {
			defer group.Done()
			samples[caller] = drive(call, size, start, end)
		}(caller)
	}
	group.Wait()
	report(samples, seconds)
}

func report(samples [][]time.Duration, seconds int) {
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
	peer := peers[os.Args[1]]
	if os.Args[2] == "load" {
		load(peer, number(4), number(5), number(6))
		return
	}
	listener, err := net.Listen("tcp", "127.0.0.1:"+os.Args[3])
	check(err)
	check(peer.serve(listener))
}
