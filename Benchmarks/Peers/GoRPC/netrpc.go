package main

import (
	"net"
	"net/rpc"
)

type Echo struct{}

func (Echo) Echo(request *[]byte, reply *[]byte) error {
	*reply = *request
	return nil
}

func serveNetRPC(listener net.Listener) error {
	check(rpc.Register(Echo{}))
	rpc.Accept(listener)
	return nil
}

func dialNetRPC(socket net.Conn) func([]byte) ([]byte, error) {
	client := rpc.NewClient(socket)
	return func(request []byte) (reply []byte, err error) {
		err = client.Call("Echo.Echo", &request, &reply)
		return reply, err
	}
}
