package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// logEvery bounds the log: strangers can cause any number of failures, and one line a second is read as soon.
const logEvery = time.Second

// faultLog writes at most one line a second, and says how many it has left out before. It is told nothing of codes,
// subjects and tokens.
type faultLog struct {
	lock    sync.Mutex
	to      io.Writer
	next    time.Time
	leftOut int
}

func newLog(to io.Writer) *faultLog { return &faultLog{to: to} }

func (l *faultLog) say(format string, values ...any) {
	line := strings.Join(strings.Fields(fmt.Sprintf(format, values...)), " ")
	l.lock.Lock()
	defer l.lock.Unlock()
	now := time.Now()
	if now.Before(l.next) {
		l.leftOut++
		return
	}
	if l.leftOut > 0 {
		line += fmt.Sprintf(" (and %d other lines before)", l.leftOut)
	}
	l.next, l.leftOut = now.Add(logEvery), 0
	fmt.Fprintln(l.to, "onecode-gateway: "+line)
}

// Write takes what net/http says of connections, such as failed handshakes.
func (l *faultLog) Write(text []byte) (int, error) {
	l.say("%s", text)
	return len(text), nil
}
