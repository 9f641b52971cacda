package main

import (
	"context"
	"net"
	"time"

	"github.com/containerd/ttrpc"
	"github.com/gogo/protobuf/types"
)

func serveTTRPC(listener net.Listener) error {
	server, err := ttrpc.NewServer()
	check(err)
	echo := func(_ context.Context, decode func(interface{}) error) (interface{}, error) {
		var message types.BytesValue
		return &message, decode(&message)
	}
	server.Register("bench.Echo", map[string]ttrpc.Method{"Echo": echo})
	return server.Serve(context.Background(), listener)
}

// Every call has a deadline and one entry of metadata.
func dialTTRPC(socket net.Conn) func([]byte) ([]byte, error) {
	client := ttrpc.NewClient(socket)
	metadata := ttrpc.WithMetadata(context.Background(), ttrpc.MD{"trace": []string{"0123456789abcdef"}})
	return func(request []byte) ([]byte, error) {
		call, cancel := context.WithTimeout(metadata, 10*time.Second)
		defer cancel()
		var reply types.BytesValue
		err := client.Call(call, "bench.Echo", "Echo", &types.BytesValue{Value: request}, &reply)
		return reply.Value, err
	}
}
