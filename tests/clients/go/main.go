// Makes calls with grpc-go as it is told to; see drivers.py for what it reads and prints.
package main

import (
	"bufio"
	"compress/zlib"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// Messages are bytes.
type raw struct{}

func (raw) Marshal(v any) ([]byte, error)      { return *v.(*[]byte), nil }
func (raw) Unmarshal(data []byte, v any) error { *v.(*[]byte) = append([]byte(nil), data...); return nil }
func (raw) Name() string                       { return "proto" }

// grpc-go brings gzip alone.
type deflate struct{}

func (deflate) Name() string                                 { return "deflate" }
func (deflate) Compress(w io.Writer) (io.WriteCloser, error) { return zlib.NewWriter(w), nil }
func (deflate) Decompress(r io.Reader) (io.Reader, error)    { return zlib.NewReader(r) }

type call struct {
	cancel context.CancelFunc
	read   chan struct{}
}

var (
	printing sync.Mutex
	out      = bufio.NewWriter(os.Stdout)
	waiting  sync.Map
)

func print(words ...string) {
	printing.Lock()
	defer printing.Unlock()
	fmt.Fprintln(out, strings.Join(words, " "))
	out.Flush()
}

func encoded(data []byte) string {
	if len(data) == 0 {
		return "-"
	}
	return base64.StdEncoding.EncodeToString(data)
}

func decoded(text string) []byte {
	if text == "-" {
		return nil
	}
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		log.Fatal(err)
	}
	return data
}

func fields(text string) metadata.MD {
	md := metadata.MD{}
	if text != "-" {
		for _, field := range strings.Split(text, ",") {
			name, value, _ := strings.Cut(field, ":")
			md.Append(name, string(decoded(value)))
		}
	}
	return md
}

func printed(md metadata.MD) string {
	var parts []string
	for name, values := range md {
		for _, value := range values {
			parts = append(parts, name+":"+encoded([]byte(value)))
		}
	}
	if len(parts) == 0 {
		return "-"
	}
	return strings.Join(parts, ",")
}

func open(address, authority, keepaliveMs, compressor string) *grpc.ClientConn {
	creds := insecure.NewCredentials()
	if authority != "-" {
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(decoded(authority))
		creds = credentials.NewTLS(&tls.Config{RootCAs: roots})
	}
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(creds),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(raw{})),
	}
	if ms, _ := strconv.Atoi(keepaliveMs); ms > 0 {
		options = append(options, grpc.WithKeepaliveParams(keepalive.ClientParameters{
			Time: time.Duration(ms) * time.Millisecond, PermitWithoutStream: true,
		}))
	}
	if compressor != "-" {
		options = append(options, grpc.WithDefaultCallOptions(grpc.UseCompressor(compressor)))
	}
	connection, err := grpc.NewClient(address, options...)
	if err != nil {
		log.Fatal(err)
	}
	return connection
}

func run(ctx context.Context, id string, connection *grpc.ClientConn, kind, path string, request []byte, read chan struct{}) {
	var trailer metadata.MD
	err := func() error {
		if kind == "unary" {
			var response []byte
			if err := connection.Invoke(ctx, path, &request, &response, grpc.Trailer(&trailer)); err != nil {
				return err
			}
			print("message", id, encoded(response))
			return nil
		}
		stream, err := connection.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, path)
		if err != nil {
			return err
		}
		defer func() { trailer = stream.Trailer() }()
		if err := stream.SendMsg(&request); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if err := stream.CloseSend(); err != nil {
			return err
		}
		if kind == "stalled" {
			select {
			case <-read:
			case <-ctx.Done():
			}
		}
		for {
			var response []byte
			if err := stream.RecvMsg(&response); err != nil {
				if errors.Is(err, io.EOF) {
					return nil
				}
				return err
			}
			print("message", id, encoded(response))
		}
	}()
	result := status.Convert(err)
	print("end", id, strconv.Itoa(int(result.Code())), encoded([]byte(result.Message())), printed(trailer))
}

func main() {
	encoding.RegisterCompressor(deflate{})
	channels := map[string]*grpc.ClientConn{}
	input := bufio.NewReader(os.Stdin)
	for {
		line, err := input.ReadString('\n')
		if err != nil {
			return
		}
		words := strings.Fields(line)
		switch words[0] {
		case "open":
			channels[words[1]] = open(words[2], words[3], words[4], words[5])
		case "close":
			channels[words[1]].Close()
			delete(channels, words[1])
		case "call":
			id := words[1]
			ctx := metadata.NewOutgoingContext(context.Background(), fields(words[6]))
			ctx, cancel := context.WithCancel(ctx)
			if ms, _ := strconv.Atoi(words[5]); ms > 0 {
				ctx, cancel = context.WithTimeout(ctx, time.Duration(ms)*time.Millisecond)
			}
			made := &call{cancel, make(chan struct{})}
			waiting.Store(id, made)
			go func() {
				run(ctx, id, channels[words[2]], words[3], words[4], decoded(words[7]), made.read)
				cancel()
				waiting.Delete(id)
			}()
		case "cancel":
			if made, ok := waiting.Load(words[1]); ok {
				made.(*call).cancel()
			}
		case "read":
			if made, ok := waiting.Load(words[1]); ok {
				close(made.(*call).read)
			}
		default:
			log.Fatalf("unknown: %s", words[0])
		}
	}
}
