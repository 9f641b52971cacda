// A chat hub as gorilla/websocket's own chat example has it: one goroutine that knows all clients, two for each
// client, a channel of messages between them. A message is prepared once for all. Path /b; a ping every 25 s.
package main

import (
	"log"
	"net/http"
	"os"
	"time"

	"github.com/gorilla/websocket"
)

const (
	writeWait  = 10 * time.Second
	pongWait   = 60 * time.Second
	pingPeriod = 25 * time.Second
	sendQueue  = 256
)

type client struct {
	hub        *hub
	connection *websocket.Conn
	send       chan *websocket.PreparedMessage
}

type hub struct {
	clients              map[*client]bool
	broadcast            chan *websocket.PreparedMessage
	register, unregister chan *client
}

func (h *hub) run() {
	for {
		select {
		case c := <-h.register:
			h.clients[c] = true
		case c := <-h.unregister:
			h.drop(c)
		case message := <-h.broadcast:
			for c := range h.clients {
				select {
				case c.send <- message:
				default:
					h.drop(c)
				}
			}
		}
	}
}

func (h *hub) drop(c *client) {
	if h.clients[c] {
		delete(h.clients, c)
		close(c.send)
	}
}

func (c *client) readPump() {
	defer func() {
		c.hub.unregister <- c
		c.connection.Close()
	}()
	c.connection.SetReadLimit(64 << 10)
	c.connection.SetReadDeadline(time.Now().Add(pongWait))
	c.connection.SetPongHandler(func(string) error {
		return c.connection.SetReadDeadline(time.Now().Add(pongWait))
	})
	for {
		kind, bytes, err := c.connection.ReadMessage()
		if err != nil {
			return
		}
		message, err := websocket.NewPreparedMessage(kind, bytes)
		if err != nil {
			return
		}
		c.hub.broadcast <- message
	}
}

func (c *client) writePump() {
	ticker := time.NewTicker(pingPeriod)
	defer func() {
		ticker.Stop()
		c.connection.Close()
	}()
	for {
		select {
		case message, isOpen := <-c.send:
			c.connection.SetWriteDeadline(time.Now().Add(writeWait))
			if !isOpen || c.connection.WritePreparedMessage(message) != nil {
				return
			}
		case <-ticker.C:
			c.connection.SetWriteDeadline(time.Now().Add(writeWait))
			if c.connection.WriteMessage(websocket.PingMessage, nil) != nil {
				return
			}
		}
	}
}

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: gorilla-hub PORT")
	}
	h := &hub{
		clients: map[*client]bool{}, broadcast: make(chan *websocket.PreparedMessage),
		register: make(chan *client), unregister: make(chan *client),
	}
	go h.run()
	upgrader := websocket.Upgrader{
		ReadBufferSize: 1024, WriteBufferSize: 1024,
		CheckOrigin: func(*http.Request) bool { return true },
	}
	http.HandleFunc("/b", func(writer http.ResponseWriter, request *http.Request) {
		connection, err := upgrader.Upgrade(writer, request, nil)
		if err != nil {
			return
		}
		c := &client{hub: h, connection: connection, send: make(chan *websocket.PreparedMessage, sendQueue)}
		h.register <- c
		go c.writePump()
		go c.readPump()
	})
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Args[1], nil))
}
