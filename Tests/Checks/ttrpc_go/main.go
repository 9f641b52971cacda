// A peer that nobody here wrote: containerd's own Go implementation of ttrpc.
//
//	ttrpc-go client ADDRESS   calls bench.Echo as rpc-bench serves it, and checks what comes back
//	ttrpc-go server           serves bench.Echo on a port of the system's choice, which it prints;
//	                          its method Fail fails as the request says, "CODE TEXT", and Seen answers with
//	                          the deadline and the metadata that came
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/containerd/ttrpc"
	"github.com/gogo/protobuf/types"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func fail(format string, arguments ...interface{}) {
	fmt.Printf(format+"\n", arguments...)
	os.Exit(1)
}

func echo(client *ttrpc.Client, value []byte) {
	ctx := ttrpc.WithMetadata(context.Background(), ttrpc.MD{"trace": []string{"1", "2"}})
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	request, reply := types.BytesValue{Value: value}, types.BytesValue{}
	if err := client.Call(ctx, "bench.Echo", "Echo", &request, &reply); err != nil {
		fail("echo of %d bytes: %v", len(value), err)
	}
	if !bytes.Equal(reply.Value, value) {
		fail("echo of %d bytes came back as %d others", len(value), len(reply.Value))
	}
}

func refused(client *ttrpc.Client, service, method string, timeout time.Duration, wanted codes.Code, says string) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	request, reply := types.BytesValue{Value: []byte("x")}, types.BytesValue{}
	err := client.Call(ctx, service, method, &request, &reply)
	if got, _ := status.FromError(err); err == nil || got.Code() != wanted || !strings.Contains(got.Message(), says) {
		fail("%s/%s ended with %v, not with code %v and %q", service, method, err, wanted, says)
	}
}

// text is what a method takes and gives that knows no protobuf.
type text struct{ bytes []byte }

func (t *text) Reset()                       { t.bytes = nil }
func (t *text) String() string               { return string(t.bytes) }
func (t *text) ProtoMessage()                {}
func (t *text) Marshal() ([]byte, error)     { return t.bytes, nil }
func (t *text) Unmarshal(bytes []byte) error { t.bytes = append([]byte{}, bytes...); return nil }

// seen checks what our server was told of a call: the time it has left, and its metadata.
func seen(client *ttrpc.Client, timeout time.Duration) {
	ctx := ttrpc.WithMetadata(context.Background(), ttrpc.MD{"trace": []string{"1", "", "größe"}})
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	var reply text
	if err := client.Call(ctx, "bench.Echo", "Seen", &text{}, &reply); err != nil {
		fail("a call with %v to go: %v", timeout, err)
	}
	deadline, metadata, _ := strings.Cut(reply.String(), "\n")
	if metadata != "trace: 1\ntrace: \ntrace: größe" {
		fail("the server saw the metadata %q", metadata)
	}
	if timeout == 0 {
		if deadline != "no deadline" {
			fail("the server saw a deadline where there is none: %q", deadline)
		}
		return
	}
	left, err := strconv.ParseFloat(strings.TrimPrefix(deadline, "left "), 64)
	if most := float64(timeout.Milliseconds()); err != nil || left > most || left < most/2 {
		fail("the server saw %q of %v", deadline, timeout)
	}
}

func runClient(address string) {
	socket, err := net.Dial("tcp", address)
	if err != nil {
		fail("%v", err)
	}
	client := ttrpc.NewClient(socket)
	defer client.Close()
	for _, size := range []int{0, 1, 100, 4096, 65536, 1 << 20, 4<<20 - 200} {
		echo(client, bytes.Repeat([]byte{7}, size))
	}
	var group sync.WaitGroup
	for task := 0; task < 32; task++ {
		group.Add(1)
		go func(task int) {
			defer group.Done()
			for call := 0; call < 100; call++ {
				echo(client, []byte(fmt.Sprintf("task %d call %d", task, call)))
			}
		}(task)
	}
	group.Wait()
	refused(client, "bench.Echo", "Missing", 20*time.Second, codes.Unimplemented, "no method Missing of service bench.Echo")
	refused(client, "bench.Missing", "Echo", 20*time.Second, codes.Unimplemented, "of service bench.Missing")
	// "x" is no number of milliseconds.
	refused(client, "bench.Echo", "Sleep", 20*time.Second, codes.InvalidArgument, "not milliseconds")
	echo(client, []byte("after errors"))
	for _, timeout := range []time.Duration{0, 20 * time.Second, 90 * time.Minute} {
		seen(client, timeout)
	}
	fmt.Println("3208 echoes, 3 refusals, deadlines and metadata")
}

func runServer() {
	server, err := ttrpc.NewServer()
	if err != nil {
		fail("%v", err)
	}
	handle := func(ctx context.Context, unmarshal func(interface{}) error) (interface{}, error) {
		var request types.BytesValue
		if err := unmarshal(&request); err != nil {
			return nil, err
		}
		return &request, nil
	}
	refuse := func(ctx context.Context, unmarshal func(interface{}) error) (interface{}, error) {
		var request types.BytesValue
		if err := unmarshal(&request); err != nil {
			return nil, err
		}
		code, text, found := strings.Cut(string(request.Value), " ")
		number, err := strconv.Atoi(code)
		if err != nil || !found {
			return nil, errors.New("neither code nor text")
		}
		return nil, status.Error(codes.Code(number), text)
	}
	tell := func(ctx context.Context, unmarshal func(interface{}) error) (interface{}, error) {
		lines := []string{"no deadline"}
		if deadline, ok := ctx.Deadline(); ok {
			lines[0] = fmt.Sprintf("left %d", time.Until(deadline).Milliseconds())
		}
		metadata, _ := ttrpc.GetMetadata(ctx)
		for key, values := range metadata {
			for _, value := range values {
				lines = append(lines, key+": "+value)
			}
		}
		return &text{[]byte(strings.Join(lines, "\n"))}, unmarshal(&text{})
	}
	server.Register("bench.Echo", map[string]ttrpc.Method{"Echo": handle, "Fail": refuse, "Seen": tell})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fail("%v", err)
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	fail("%v", server.Serve(context.Background(), listener))
}

func main() {
	switch {
	case len(os.Args) == 3 && os.Args[1] == "client":
		runClient(os.Args[2])
	case len(os.Args) == 2 && os.Args[1] == "server":
		runServer()
	default:
		fail("usage: ttrpc-go client ADDRESS | server")
	}
}
