// The same contract as a Go developer would serve it: grpc-go and crypto/ed25519, keys and statuses in maps.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net"
	"runtime"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "onecode/benchmarks/peers/go/onecode/v1"
)

const requestBytesMax = 4*1024*1024 + 64*1024

type peer struct {
	pb.UnimplementedRecognitionServiceServer
	checker *checker
}

func (p *peer) Verify(_ context.Context, request *pb.VerifyRequest) (*pb.VerifyResponse, error) {
	now := time.Now()
	return &pb.VerifyResponse{
		Verdict:          p.checker.check(request.Code, request.HostRegion, now),
		TrustListVersion: p.checker.trust.version,
		CheckedAt:        timestamppb.New(now),
	}, nil
}

// BatchVerify checks a batch in as many parts as there are processors.
func (p *peer) BatchVerify(_ context.Context, request *pb.BatchVerifyRequest) (*pb.BatchVerifyResponse, error) {
	now := time.Now()
	verdicts := make([]*pb.Verdict, len(request.Codes))
	size := (len(verdicts) + runtime.GOMAXPROCS(0) - 1) / runtime.GOMAXPROCS(0)
	var parts sync.WaitGroup
	for start := 0; start < len(verdicts); start += size {
		end := min(start+size, len(verdicts))
		parts.Go(func() {
			for i := start; i < end; i++ {
				verdicts[i] = p.checker.check(request.Codes[i], request.HostRegion, now)
			}
		})
	}
	parts.Wait()
	return &pb.BatchVerifyResponse{
		Verdicts:         verdicts,
		TrustListVersion: p.checker.trust.version,
		CheckedAt:        timestamppb.New(now),
	}, nil
}

func main() {
	dataDir := flag.String("data-dir", "", "of onecode init")
	statuses := flag.String("statuses", "", "one JSON object a line")
	skewS := flag.Float64("skew-s", 60, "by how much clocks may differ")
	flag.Parse()
	trust, err := readTrustList(*dataDir)
	if err != nil {
		log.Fatal(err)
	}
	known, err := readStatuses(*statuses)
	if err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer(grpc.MaxRecvMsgSize(requestBytesMax))
	pb.RegisterRecognitionServiceServer(server, &peer{checker: &checker{trust, known, *skewS}})
	fmt.Printf("ready grpc=%s\n", listener.Addr())
	if err := server.Serve(listener); err != nil {
		log.Fatal(err)
	}
}
