// Echo over Go's net/rpc: netrpc serve PORT, or netrpc load PORT INFLIGHT SECONDS BYTES.
package main

import (
	"bytes"
	"fmt"
	"net"
	"net/rpc"
	"os"
	"sort"
	"strconv"
	"sync"
	"time"
)

type Echo struct{}

func (Echo) Echo(request *[]byte, reply *[]byte) error {
	*reply = *request
	return nil
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

func load(inFlight, seconds, size int) {
	client, err := rpc.Dial("tcp", "127.0.0.1:"+os.Args[2])
	check(err)
	start := time.Now().Add(time.Second)
	end := start.Add(time.Duration(seconds) * time.Second)
	samples := make([][]time.Duration, inFlight)
	var group sync.WaitGroup
	for caller := range samples {
		group.Add(1)
		go func(caller int) {
			defer group.Done()
			request := bytes.Repeat([]byte("a"), size)
			for before := time.Now(); before.Before(end); {
				var reply []byte
				check(client.Call("Echo.Echo", &request, &reply))
				if !bytes.Equal(reply, request) {
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
	check(rpc.Register(Echo{}))
	listener, err := net.Listen("tcp", "127.0.0.1:"+os.Args[2])
	check(err)
	rpc.Accept(listener)
}
