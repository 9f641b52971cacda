// What a lease costs in Go's database/sql with a driver that does nothing, alone and where 64 goroutines share 8
// connections; the cases are those of Benchmarks/Sources/pool.
package main

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sort"
	"strconv"
	"sync"
	"time"
)

const goroutines, connections = 64, 8

var errUnused = errors.New("this driver only connects")

type link struct{}

func (link) Prepare(string) (driver.Stmt, error) { return nil, errUnused }
func (link) Close() error                        { return nil }
func (link) Begin() (driver.Tx, error)           { return nil, errUnused }

type connector struct{}

func (connector) Connect(context.Context) (driver.Conn, error) { return link{}, nil }
func (c connector) Driver() driver.Driver                      { return c }
func (connector) Open(string) (driver.Conn, error)             { return link{}, nil }

func cycle(pool *sql.DB, holds bool) time.Time {
	connection, err := pool.Conn(context.Background())
	if err != nil {
		panic(err)
	}
	now := time.Now()
	if holds {
		runtime.Gosched()
	}
	if err := connection.Close(); err != nil {
		panic(err)
	}
	return now
}

func alone(pool *sql.DB, count int) {
	for i := 0; i < count/10; i++ {
		cycle(pool, false)
	}
	begun := time.Now()
	for i := 0; i < count; i++ {
		cycle(pool, false)
	}
	each := float64(time.Since(begun).Nanoseconds()) / float64(count)
	fmt.Printf("case=alone\tns=%.1f\tsubject=Go database/sql\n", each)
}

func shared(pool *sql.DB, count int) {
	waits := make([][]float64, goroutines)
	var done sync.WaitGroup
	begun := time.Now()
	for g := 0; g < goroutines; g++ {
		done.Add(1)
		waits[g] = make([]float64, 0, count)
		go func(g int) {
			defer done.Done()
			for i := 0; i < count; i++ {
				asked := time.Now()
				leased := cycle(pool, true)
				waits[g] = append(waits[g], float64(leased.Sub(asked).Nanoseconds())/1e3)
			}
		}(g)
	}
	done.Wait()
	rate := float64(goroutines*count) / time.Since(begun).Seconds()
	all := []float64{}
	for _, each := range waits {
		all = append(all, each...)
	}
	sort.Float64s(all)
	fmt.Printf("case=shared\trate=%.0f\tmedian_us=%.1f\tp99_us=%.1f\tworst_us=%.1f\tsubject=Go database/sql\n",
		rate, all[len(all)/2], all[len(all)*99/100], all[len(all)-1])
}

func main() {
	count := 5000
	if len(os.Args) > 1 {
		parsed, err := strconv.Atoi(os.Args[1])
		if err != nil {
			panic(err)
		}
		count = parsed
	}
	pool := sql.OpenDB(connector{})
	pool.SetMaxOpenConns(connections)
	pool.SetMaxIdleConns(connections)
	alone(pool, 100*count)
	shared(pool, count)
}
