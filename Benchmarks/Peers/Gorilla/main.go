// The codec of gorilla/websocket and Go's UTF-8 validation, measured as `codec` measures ours.
//
// Prints a line per measurement, tab-separated: what, by whom, size, figure, unit.
package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"
	_ "unsafe" // for go:linkname

	"github.com/gorilla/websocket"
)

//go:linkname maskBytes github.com/gorilla/websocket.maskBytes
func maskBytes(key [4]byte, pos int, b []byte) int

var window time.Duration

func processorTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func callsPerSecond(body func()) float64 {
	seconds := func(batch int) time.Duration {
		start := processorTime()
		for i := 0; i < batch; i++ {
			body()
		}
		return processorTime() - start
	}
	batch := 1
	for seconds(batch) < window/20 {
		batch *= 2
	}
	calls, spent := 0, time.Duration(0)
	for spent < window {
		spent += seconds(batch)
		calls += batch
	}
	return float64(calls) / spent.Seconds()
}

func report(operation, name string, size int, figure float64, unit string) {
	fmt.Printf("%s\t%s\t%d\t%g\t%s\n", operation, name, size, figure, unit)
}

func measureMasking() {
	for _, size := range []int{1, 2, 3, 4, 5, 7, 8, 11, 12, 15, 16, 64, 125, 1 << 10, 16 << 10, 1 << 20} {
		count := (4 << 10) / (size + 6)
		if count < 1 {
			count = 1
		}
		buffer := make([]byte, count*(size+6))
		key := [4]byte{0x37, 0xFA, 0x21, 0x3D}
		calls := callsPerSecond(func() {
			for i := 0; i < count; i++ {
				start := i*(size+6) + 6
				maskBytes(key, 0, buffer[start:start+size])
			}
		})
		report("unmask", "gorilla (Go)", size, calls*float64(count*size)/1e9, "GB/s")
	}
}

func measureValidation() {
	texts := []struct{ name, sample string }{
		{"ASCII", "All of these words are plain ASCII. "},
		{"CJK", "漢字かな交じり文、全部三字節。"},
		{"mixed", "Some ASCII, ein paar Umlaute: äöü, 漢字, 🙂. "},
	}
	for _, text := range texts {
		for _, size := range []int{16, 90, 1 << 10, 16 << 10, 1 << 20} {
			bytes := []byte(strings.Repeat(text.sample, size/len(text.sample)+1))[:size]
			for !utf8.Valid(bytes) {
				bytes = bytes[:len(bytes)-1]
			}
			isValid := true
			calls := callsPerSecond(func() { isValid = isValid && utf8.Valid(bytes) })
			if !isValid {
				panic("not UTF-8")
			}
			report("validate "+text.name, "utf8.Valid (Go)", size, calls*float64(len(bytes))/1e9, "GB/s")
		}
	}
}

// endless is a connection on which the same frames come again and again.
type endless struct {
	frames []byte
	next   int
}

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.frames[e.next:])
	e.next = (e.next + n) % len(e.frames)
	return n, nil
}
func (e *endless) Write(p []byte) (int, error)      { return len(p), nil }
func (e *endless) Close() error                     { return nil }
func (e *endless) LocalAddr() net.Addr              { return nil }
func (e *endless) RemoteAddr() net.Addr             { return nil }
func (e *endless) SetDeadline(time.Time) error      { return nil }
func (e *endless) SetReadDeadline(time.Time) error  { return nil }
func (e *endless) SetWriteDeadline(time.Time) error { return nil }

// upgraded hands the connection over to the upgrader.
type upgraded struct {
	connection net.Conn
}

func (u upgraded) Header() http.Header         { return http.Header{} }
func (u upgraded) Write(p []byte) (int, error) { return len(p), nil }
func (u upgraded) WriteHeader(int)             {}
func (u upgraded) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	reader := bufio.NewReaderSize(strings.NewReader(""), 16)
	return u.connection, bufio.NewReadWriter(reader, bufio.NewWriter(io.Discard)), nil
}

func measureMessages() {
	request, err := http.ReadRequest(bufio.NewReader(strings.NewReader(
		"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
			"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")))
	if err != nil {
		panic(err)
	}
	for _, size := range []int{0, 16, 64, 125, 126, 1 << 10, 64 << 10} {
		header := []byte{0x82, 0x80 | byte(size), 0x37, 0xFA, 0x21, 0x3D}
		switch {
		case size > 65535:
			header = []byte{0x82, 0xFF, 0, 0, 0, 0, 0, byte(size >> 16), byte(size >> 8), byte(size), 0x37, 0xFA, 0x21, 0x3D}
		case size > 125:
			header = []byte{0x82, 0xFE, byte(size >> 8), byte(size), 0x37, 0xFA, 0x21, 0x3D}
		}
		frame := append(header, make([]byte, size)...)
		upgrader := websocket.Upgrader{ReadBufferSize: 512 << 10}
		connection, err := upgrader.Upgrade(
			upgraded{&endless{frames: bytes.Repeat(frame, (512<<10)/len(frame)+1)}}, request, nil)
		if err != nil {
			panic(err)
		}
		payload := make([]byte, size+1)
		calls := callsPerSecond(func() {
			_, reader, err := connection.NextReader()
			if err != nil {
				panic(err)
			}
			total := 0
			for {
				n, err := reader.Read(payload)
				total += n
				if err == io.EOF {
					break
				}
				if err != nil {
					panic(err)
				}
			}
			if total != size {
				panic(fmt.Sprintf("%d bytes of %d", total, size))
			}
		})
		report("decode messages", "gorilla (Go)", size, calls/1e6, "M/s")
	}
}

func main() {
	if len(os.Args) != 3 || os.Args[1] != "--milliseconds" {
		panic("usage: gorilla-codec --milliseconds EACH")
	}
	each, err := strconv.Atoi(os.Args[2])
	if err != nil {
		panic(err)
	}
	window = time.Duration(each) * time.Millisecond
	measureMasking()
	measureValidation()
	measureMessages()
}
