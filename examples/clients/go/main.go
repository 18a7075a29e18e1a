// Sends a message to a room and prints what is said there: client ADDRESS TOKEN ROOM TEXT
package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"log"
	"os"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"example.org/client/chatv1"
)

func main() {
	if len(os.Args) != 5 {
		log.Fatal("usage: client ADDRESS TOKEN ROOM TEXT")
	}
	address, token, room, text := os.Args[1], os.Args[2], os.Args[3], os.Args[4]
	// With TLS: credentials.NewTLS(nil) instead.
	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		log.Fatal(err)
	}
	defer connection.Close()
	ctx := metadata.AppendToOutgoingContext(context.Background(), "authorization", "Bearer "+token)
	if err := run(ctx, connection, room, text); err != nil {
		log.Fatal(explain(err))
	}
}

func run(ctx context.Context, connection *grpc.ClientConn, room, text string) error {
	// A stream may live for days, so it has no deadline. After it ends, subscribe again from the last cursor.
	stream, err := chatv1.NewSubscribeServiceClient(connection).Subscribe(ctx, &chatv1.SubscribeRequest{
		Cursors:    []*chatv1.Cursor{{RoomId: room}},
		IncludeOwn: true,
	})
	if err != nil {
		return err
	}
	for {
		response, err := stream.Recv()
		if err != nil {
			return err
		}
		for _, event := range response.Events {
			// Other kinds of events have no message.
			if message := event.GetMessage(); message != nil {
				fmt.Printf("%d %s %s\n", event.Seq, event.UserId, message.Text)
				if message.Text == text {
					return nil
				}
			}
		}
		// Now everything said before has been read.
		if response.GetCaughtUp() != nil {
			if err := send(ctx, connection, room, text); err != nil {
				return err
			}
		}
	}
}

func send(ctx context.Context, connection *grpc.ClientConn, room, text string) error {
	// Sent again with the same id, a message is stored once.
	_, err := chatv1.NewMessageServiceClient(connection).SendMessages(ctx, &chatv1.SendMessagesRequest{
		Messages: []*chatv1.OutgoingMessage{{RoomId: room, ClientMessageId: uuid4(), Text: text}},
	})
	return err
}

func uuid4() string {
	b := make([]byte, 16)
	rand.Read(b)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// The server's errors carry a stable reason; see docs/reference/api.md.
func explain(err error) string {
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			return fmt.Sprintf("%s: %s", info.Reason, status.Convert(err).Message())
		}
	}
	return err.Error()
}
